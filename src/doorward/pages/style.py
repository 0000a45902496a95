"""The one style sheet of every page of ours: readable on a phone and in the dark, without any outside asset."""

STYLE = """\
:root{color-scheme:light dark;--ground:#f4f5f7;--sheet:#fff;--ink:#1a1d21;--soft:#596270;--line:#d5d9e0;--mark:#1f5fbf;\
--on-mark:#fff;--good:#1b7a3d;--bad:#b3261e;--note:#fff4d6;--on-note:#5c4300}
@media (prefers-color-scheme:dark){:root{--ground:#14161a;--sheet:#1e2126;--ink:#e8eaee;--soft:#a3acba;--line:#3a404a;\
--mark:#8ab4f8;--on-mark:#10131a;--good:#7ad39a;--bad:#ff8a80;--note:#3a3014;--on-note:#ffe3a1}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:34rem;margin:8vh auto;padding:1.5rem;background:var(--sheet);border:1px solid var(--line);\
border-radius:.75rem}
main.wide{max-width:64rem;margin-top:1.5rem}
h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.25}
h2{margin:1.5rem 0 .5rem;font-size:1.05rem}
p,ul,ol,dl{margin:.5rem 0}
a{color:var(--mark)}
.soft,footer{color:var(--soft);font-size:.875rem}
footer{margin-top:1.25rem;padding-top:.75rem;border-top:1px solid var(--line)}
.note{padding:.6rem .8rem;border-radius:.5rem;background:var(--note);color:var(--on-note)}
.good{color:var(--good)}
.bad{color:var(--bad)}
.choices{list-style:none;padding:0}
.choices li{margin:.5rem 0}
.button,button{display:block;width:100%;padding:.7rem 1rem;border:1px solid var(--mark);border-radius:.5rem;\
background:var(--sheet);color:var(--mark);font:inherit;font-weight:600;text-align:center;text-decoration:none;\
cursor:pointer}
.button.first,button.first{background:var(--mark);color:var(--on-mark)}
.button:hover,button:hover{text-decoration:underline}
:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
label{display:block;margin:.6rem 0 .2rem;font-weight:600}
input,select,textarea{width:100%;padding:.55rem .7rem;border:1px solid var(--line);border-radius:.5rem;\
background:var(--ground);color:var(--ink);font:inherit}
input[type=checkbox],input[type=radio]{width:auto}
code,pre,textarea{font-family:ui-monospace,monospace;font-size:.875rem}
pre{overflow:auto;padding:.75rem;border-radius:.5rem;background:var(--ground);white-space:pre-wrap}
[hidden]{display:none!important}
table{width:100%;border-collapse:collapse;font-size:.9rem;table-layout:fixed}
th[scope=row]{width:36%}
th,td{padding:.4rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
@media (max-width:36rem){main{margin:0;min-height:100vh;border:0;border-radius:0}\
th[scope=row],th[scope=row]+td{display:block;width:auto}th[scope=row]{border:0;padding-bottom:0}}
"""
