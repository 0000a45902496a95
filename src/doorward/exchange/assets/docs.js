"use strict";

// Everything is put on the page as text, never as markup: answers of the service are data.
function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

// What is typed here are tokens: browsers are asked to keep nothing and to send nothing to a spelling service.
function field(form, label, control) {
  control.autocomplete = "off";
  control.spellcheck = false;
  form.append(element("label", label, control));
  return control;
}

function exampleOf(schema) {
  const body = {};
  for (const [name, property] of Object.entries(schema.properties || {})) {
    const required = (schema.required || []).includes(name);
    if (property.const) body[name] = property.const;
    else if (property.enum) body[name] = property.enum[0];
    else if (required) body[name] = "";
    else if (property.default !== undefined) body[name] = property.default;
  }
  return body;
}

function tableOf(rows) {
  const table = element("table");
  for (const [name, text] of rows) {
    const heading = element("th", name);
    heading.scope = "row";
    table.append(element("tr", "", heading, element("td", text)));
  }
  return table;
}

// The description lists codes in Markdown; here each is a line of plain text.
function plain(description) {
  return description.replaceAll("`", "").replaceAll(/^- /gm, "");
}

function headersOf(operation, controls, contentType) {
  const headers = contentType ? { "Content-Type": contentType } : {};
  if (controls.bearer && controls.bearer.value) headers.Authorization = "Bearer " + controls.bearer.value.trim();
  if (controls.client && controls.client.value) headers.Authorization = "Basic " + btoa(controls.client.value.trim());
  if (controls.subscription && controls.subscription.value)
    headers["Ocp-Apim-Subscription-Key"] = controls.subscription.value.trim();
  return headers;
}

async function call(base, method, path, operation, controls, contentType, output) {
  const request = { method: method.toUpperCase(), headers: headersOf(operation, controls, contentType), cache: "no-store" };
  try {
    if (controls.body && controls.body.value.trim()) {
      const isForm = contentType === "application/x-www-form-urlencoded";
      request.body = isForm ? new URLSearchParams(JSON.parse(controls.body.value)) : controls.body.value;
    }
    const answer = await fetch(base + path, request);
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    output.textContent = answer.status + " " + answer.statusText + "\n\n" + shown;
  } catch (error) {
    output.textContent = String(error);
  }
}

function formOf(base, method, path, operation) {
  const form = element("form");
  const controls = {};
  const schemes = (operation.security || []).flatMap((scheme) => Object.keys(scheme));
  if (schemes.includes("bearer")) controls.bearer = field(form, "access_token (bearer)", element("input"));
  if (schemes.includes("client")) controls.client = field(form, "client_id:client_secret", element("input"));
  if (schemes.includes("subscription"))
    controls.subscription = field(form, "Ocp-Apim-Subscription-Key", element("input"));
  const content = operation.requestBody ? Object.entries(operation.requestBody.content)[0] : null;
  if (content) {
    controls.body = field(form, "Body (" + content[0] + ", written as JSON)", element("textarea"));
    controls.body.value = JSON.stringify(exampleOf(content[1].schema), null, 2);
  }
  const output = element("pre");
  output.setAttribute("role", "status");
  output.hidden = true;
  form.append(element("button", "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = "…";
    call(base, method, path, operation, controls, content && content[0], output);
  });
  return form;
}

function endpointOf(base, method, path, operation) {
  const content = operation.requestBody ? Object.values(operation.requestBody.content)[0].schema : null;
  const section = element("section");
  if (content) {
    const required = content.required || [];
    section.append(element("h2", "Fields"), tableOf(Object.entries(content.properties).map(([name, property]) =>
      [name + (required.includes(name) ? " (required)" : ""), property.description || ""])));
  }
  section.append(element("h2", "Answers"), tableOf(Object.entries(operation.responses).map(([status, answer]) =>
    [status, plain(answer.description)])));
  section.append(element("h2", "Try it"), formOf(base, method, path, operation));
  const summary = element("summary", "", element("b", method.toUpperCase()), " " + base + path + " — " + operation.summary);
  return element("details", "", summary, section);
}

async function show() {
  const main = document.getElementById("endpoints");
  const description = await (await fetch("openapi.json")).json();
  const base = location.pathname.replace(/\/docs$/, "");
  main.replaceChildren();
  for (const [path, methods] of Object.entries(description.paths))
    for (const [method, operation] of Object.entries(methods)) main.append(endpointOf(base, method, path, operation));
}

show().catch((error) => { document.getElementById("endpoints").textContent = String(error); });
