// Opening a source line in the reader's editor, by a URL they choose.

const EDITOR_KEY = 'memlens.editor';

export const EDITORS = {
  'VS Code': 'vscode://file/{path}:{line}',
  'JetBrains': 'idea://open?file={path}&line={line}',
  'Sublime Text': 'subl://open?url=file://{path}&line={line}',
  'Emacs': 'emacs://open?url=file://{path}&line={line}',
};

// Storage may be refused to a page opened from disk; then the choice lasts as long as the page.
let remembered = null;

export function editorTemplate() {
  try {
    return localStorage.getItem(EDITOR_KEY) ?? remembered ?? EDITORS['VS Code'];
  } catch {
    return remembered ?? EDITORS['VS Code'];
  }
}

export function setEditorTemplate(template) {
  remembered = template;
  try {
    localStorage.setItem(EDITOR_KEY, template);
  } catch {
    // Remembered above.
  }
}

// An address to navigate to, or null. Only the template, which the reader typed, chooses the
// scheme; what comes from the capture is always escaped.
export function editorUrl(path, line) {
  if (!path) return null;
  const escapedPath = path.split('/').map(encodeURIComponent).join('/');
  const url = editorTemplate()
    .replaceAll('{path}', () => escapedPath)
    .replaceAll('{line}', () => String(line || 1));
  return /^(javascript|data|blob|vbscript):/i.test(url.trim()) ? null : url;
}
