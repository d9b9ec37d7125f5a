/** How the page looks. */
export const style = `
:root { color-scheme: light dark; --back: #fff; --text: #1b1f24; --soft: #667; --line: #d8dce2; --panel: #f5f7f9 }
@media (prefers-color-scheme: dark) { :root { --back: #16191d; --text: #e3e6ea; --soft: #98a2ae; --line: #333a43; --panel: #1e2329 } }
* { box-sizing: border-box }
html, body { margin: 0; height: 100%; overflow: hidden; background: var(--back); color: var(--text); font: 13px/1.4 system-ui, sans-serif }
body { display: grid; grid-template-rows: auto 1fr }
header { display: flex; gap: 10px; align-items: center; padding: 6px 10px; border-bottom: 1px solid var(--line); background: var(--panel); flex-wrap: wrap }
header b { font-size: 14px } header .soft, .soft { color: var(--soft) }
input, button, select { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 4px; padding: 2px 7px }
button.on { background: #2f6fd0; color: #fff }
main { display: grid; grid-template-columns: 1fr 340px; min-height: 0 }
#chart { position: relative; min-width: 0; overflow: hidden } canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block }
aside { border-left: 1px solid var(--line); background: var(--panel); overflow: auto; padding: 8px 10px }
aside h2 { font-size: 13px; margin: 10px 0 4px } aside table { border-collapse: collapse; width: 100% }
aside td { padding: 1px 4px 1px 0; vertical-align: top; overflow-wrap: anywhere } .pick { cursor: pointer } .pick:hover { background: var(--line) } .node { padding: 1px 0 } .node pre { margin: 0 0 2px 14px }
.at { color: var(--soft); font: 11px ui-monospace, monospace } .red { color: #d6293e; font-weight: 600 }
i.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 3px 0 8px; vertical-align: -1px }
pre { font: 11px ui-monospace, monospace; white-space: pre-wrap; margin: 2px 0 }
`
