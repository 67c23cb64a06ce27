// The little of Lit's types that the console uses, so that `tsc` needs no packages.
export type Template = unknown;
export class LitElement extends HTMLElement {
  static properties: Record<string, object>;
  createRenderRoot(): Element | DocumentFragment;
  connectedCallback(): void;
  disconnectedCallback(): void;
  requestUpdate(): void;
  updateComplete: Promise<boolean>;
  protected willUpdate(changed: Map<string, unknown>): void;
  protected firstUpdated(changed: Map<string, unknown>): void;
  protected updated(changed: Map<string, unknown>): void;
  render(): Template;
}
export function html(strings: TemplateStringsArray, ...values: unknown[]): Template;
export function svg(strings: TemplateStringsArray, ...values: unknown[]): Template;
export const nothing: unique symbol;
export function render(value: Template, container: Element | DocumentFragment): void;
export function repeat<T>(items: Iterable<T>, key: (item: T) => unknown, template: (item: T) => Template): Template;
