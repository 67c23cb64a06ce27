"""The label of an order tote: ZPL II with a Code 128 of the tote's id, for 100 mm wide stock at 203 dpi."""

from contracts.ids import ToteId

_WIDTH_DOTS = 812


def module_dots(characters: int) -> int:
    """Return the widest Code 128 module (1 to 3 dots) at which a text fits the label.

    Start, check and stop add 35 modules to 11 a character (ISO/IEC 15417); 10 modules stay free on both sides.
    """
    modules = 11 * characters + 35 + 20
    return max(1, min(3, _WIDTH_DOTS // modules))


def tote_label(tote: ToteId) -> str:
    """Return the ZPL of one tote's label."""
    module = module_dots(len(tote))
    return (
        f"^XA^PW{_WIDTH_DOTS}^LH0,0"
        f"^FO{10 * module},40^BY{module}^BCN,160,N,N,N,A^FD{tote}^FS"
        f"^FO{10 * module},220^A0N,48,40^FD{tote}^FS^XZ"
    )
