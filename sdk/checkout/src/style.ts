export const css: string = `
:host {
  --_accent: var(--bandpass-accent, light-dark(#0b5c4b, #6fd6b8));
  --_on-accent: var(--bandpass-on-accent, light-dark(#fff, #06251d));
  --_ink: var(--bandpass-ink, light-dark(#1c2321, #ecefee));
  --_dim: var(--bandpass-dim, light-dark(#55605c, #a9b4b0));
  --_paper: var(--bandpass-paper, light-dark(#fff, #171b1a));
  --_line: var(--bandpass-line, light-dark(#d9dfdc, #38403d));
  --_good: var(--bandpass-good, light-dark(#0f6b3c, #6fdc9c));
  --_bad: var(--bandpass-bad, light-dark(#a4262c, #ff9a92));
  --_radius: var(--bandpass-radius, 0.75rem);
  display: block;
  color: var(--_ink);
  font-size: 1rem;
  line-height: 1.5;
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before { box-sizing: border-box; margin: 0; }
[part=panel] { padding: 1.25rem; background: var(--_paper); border: 1px solid var(--_line); border-radius: var(--_radius); }
[part=panel]:focus { outline: none; }
[data-state=idle] { padding: 0; background: none; border: 0; }
dl { display: grid; gap: 0.25rem; margin-block-end: 1rem; padding-block-end: 1rem; border-block-end: 1px solid var(--_line); }
dl > div { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between; }
dt { color: var(--_dim); }
dd { overflow-wrap: anywhere; font-weight: 600; text-align: end; }
[part=amount] { font-size: 1.25rem; font-variant-numeric: tabular-nums; }
p { overflow-wrap: anywhere; }
p:empty::before { display: none !important; }
[part=message] { display: grid; grid-template-columns: auto 1fr; gap: 0.7rem; }
[part=message]::before { content: ""; inline-size: 1.25rem; block-size: 1.25rem; margin-block-start: 0.125rem; border: 0.1875rem solid var(--_line); border-radius: 50%; }
[data-state=starting] [role=status] p::before, [data-state=wallet] [role=status] p::before, [data-state=checking] [role=status] p::before, [data-state=link] [role=status] p::before { border-block-start-color: var(--_accent); animation: turn 1s linear infinite; }
[data-state=step-up] [role=status] p::before, [data-state=elsewhere] [role=status] p::before { inline-size: 0.875rem; margin-inline: 0.1875rem; border-block-end-width: 0.3125rem; border-color: var(--_accent); border-radius: 0.25rem; }
[data-state=ready] [role=status] p::before { display: none; }
[data-state=allowed] [role=status] p { color: var(--_good); font-weight: 600; }
[data-state=allowed] [role=status] p::before { border-width: 0 0.1875rem 0.1875rem 0; border-color: currentColor; border-radius: 0; inline-size: 0.55rem; block-size: 1.05rem; margin: 0 0.35rem; rotate: 45deg; }
[role=alert]::before { content: "!"; display: grid; place-items: center; border-color: var(--_bad); color: var(--_bad); font: 700 0.8125rem/1 sans-serif; }
[part=code] { margin-block-start: 0.35rem; margin-inline-start: 1.95rem; color: var(--_dim); font-size: 0.8125rem; }
[part=actions] { display: grid; gap: 0.5rem; }
[part=panel]:not([data-state=idle]) [part=actions] { margin-block-start: 1rem; }
[data-state=checking] [part=actions], [data-state=elsewhere] [part=actions], [data-state=allowed] [part=actions] { display: none; }
button, a {
  display: flex; align-items: center; justify-content: center;
  min-block-size: 3rem; padding: 0.5rem 1.25rem;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none;
  color: var(--_on-accent); background: var(--_accent);
  border: 1px solid transparent; border-radius: var(--_radius);
  cursor: pointer;
}
button:hover, a:hover { filter: brightness(1.08); }
[part=cancel] { color: var(--_ink); background: none; border-color: var(--_line); font-weight: 400; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
@keyframes turn { to { rotate: 1turn; } }
@media (prefers-reduced-motion: reduce) {
  [part=message]::before { animation: none !important; }
}
@media (forced-colors: active) {
  button, a { border-color: ButtonText; }
  [part=message]::before { border-color: CanvasText; }
}
`
