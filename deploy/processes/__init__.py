"""How each of our processes is put together: its ports opened, its services made, its clock set."""
