// Before the first paint: the theme that was chosen last, else that of the system. A classic script, so that it blocks.
(() => {
  const chosen = localStorage.getItem('floorplane.theme');
  const light = chosen ? chosen === 'light' : matchMedia('(prefers-color-scheme: light)').matches;
  document.documentElement.dataset.theme = light ? 'light' : 'dark';
})();
