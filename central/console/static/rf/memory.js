// What the handheld remembers over a reload, in this browser only.

/** @param {string} name @returns {any} */
export function kept(name) {
  return JSON.parse(localStorage.getItem(`rf.${name}`) ?? 'null');
}

/** @param {string} name @param {unknown} value null: forget it */
export function keep(name, value) {
  if (value === null) localStorage.removeItem(`rf.${name}`);
  else localStorage.setItem(`rf.${name}`, JSON.stringify(value));
}
