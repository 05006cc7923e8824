/** Colours come in two sets, for light and dark; all else is the same. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #14171c);
  --card: light-dark(#ffffff, #1c2027);
  --line: light-dark(#dfe3e8, #2e343d);
  --ink: light-dark(#1b1f24, #e7eaee);
  --soft: light-dark(#5b6470, #9aa4b1);
  --bar: light-dark(#3b6fd4, #7aa5f5);
  --gap: light-dark(#c2571a, #f0a26b);
  --track: light-dark(#e9ecf0, #2a3038);
  --note: light-dark(#fdf1e3, #3a2a1a);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 0; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0 0; padding: 0; }
.figures div, .panel, .column { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.figures div { padding: 14px 16px; }
.figures dt { color: var(--soft); font-size: 13px; }
.figures dd { margin: 2px 0 0; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.panel { padding: 16px; }
.panel svg { display: block; width: 100%; height: auto; }
.notes { margin: 0; padding: 0; list-style: none; display: grid; gap: 6px; }
.notes li { background: var(--note); border-radius: 8px; padding: 8px 12px; overflow-wrap: anywhere; }
.missing { display: grid; grid-template-columns: minmax(80px, max-content) 1fr max-content; gap: 6px 14px; align-items: center; }
.missing .name { overflow: hidden; text-overflow: ellipsis; max-width: 32ch; white-space: nowrap; }
.missing .count { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.missing svg { width: 100%; height: 12px; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); gap: 14px; }
.column { padding: 16px; display: flex; flex-direction: column; gap: 10px; min-width: 0; }
.column header { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; justify-content: space-between; }
.column h3 { margin: 0; font-size: 16px; overflow-wrap: anywhere; }
.column .type { color: var(--soft); font-size: 13px; }
.column dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 0; font-size: 14px; }
.column dt { color: var(--soft); }
.column dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.column svg { width: 100%; height: 56px; }
.values { display: grid; grid-template-columns: minmax(0, 45%) 1fr max-content; gap: 3px 10px; font-size: 13px; align-items: center; }
.values .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.values .count { color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; }
.values svg { height: 9px; }
.tag { font-size: 12px; background: var(--note); border-radius: 6px; padding: 1px 7px; white-space: nowrap; }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
.bar { fill: var(--bar); } .gap { fill: var(--gap); } .track { fill: var(--track); }
@media (max-width: 480px) { main { padding: 24px 16px 48px; } h1 { font-size: 23px; } .figures { grid-template-columns: 1fr 1fr; } }
`;
