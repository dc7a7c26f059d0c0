/* theme.js - dark or light, by the system or by choice. Runs before anything is painted. */
(function () {
  const key = 'lockstep.theme';
  const root = document.documentElement;

  function chosen() {
    try { return localStorage.getItem(key); } catch { return null; }
  }
  function apply(theme) {
    if (theme === 'dark' || theme === 'light') root.dataset.theme = theme;
    else delete root.dataset.theme;
  }
  apply(chosen());

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const system = matchMedia('(prefers-color-scheme: dark)');
    const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
    const say = () => { button.textContent = dark() ? 'Light' : 'Dark'; button.title = `Show this page ${dark() ? 'light' : 'dark'}`; };
    button.addEventListener('click', () => {
      const theme = dark() ? 'light' : 'dark';
      // A choice equal to the system's is not stored: the page then follows the system again.
      const same = (theme === 'dark') === system.matches;
      try { if (same) localStorage.removeItem(key); else localStorage.setItem(key, theme); } catch { /* private window */ }
      apply(same ? null : theme);
      say();
    });
    system.addEventListener('change', say);
    say();
  });
})();
