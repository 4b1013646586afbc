// Light or dark: the system's choice unless the reader makes one.

const THEME_KEY = 'memlens.theme';
const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)');

function storedTheme() {
  try {
    return localStorage.getItem(THEME_KEY);
  } catch {
    return null;
  }
}

export class Theme {
  constructor(onChange) {
    this.choice = storedTheme();
    this.onChange = onChange;
    this.printing = false;
    systemIsDark.addEventListener('change', () => this.apply());
    // Paper is white.
    window.addEventListener('beforeprint', () => this.setPrinting(true));
    window.addEventListener('afterprint', () => this.setPrinting(false));
    this.apply();
  }

  get dark() {
    if (this.printing) return false;
    return this.choice ? this.choice === 'dark' : systemIsDark.matches;
  }

  apply() {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light';
    this.onChange(this.dark);
  }

  toggle() {
    this.choice = this.dark ? 'light' : 'dark';
    try {
      localStorage.setItem(THEME_KEY, this.choice);
    } catch {
      // Lasts as long as the page.
    }
    this.apply();
  }

  setPrinting(printing) {
    this.printing = printing;
    this.apply();
  }
}
