// Add and Edit Failover Group, with the WSA's fields in the WSA's order.

import { change } from "./change.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";

const MASTER_PRIORITY = "255";
const NEW = {
  id: "",
  description: "",
  hostname: "",
  virtual_ip: [],
  interface: "auto",
  priority: 255,
  has_secret: true,
  advertisement_interval: 1,
};
const FIELDS = [
  "id",
  "description",
  "hostname",
  "virtual_ip",
  "interface",
  "priority",
  "has_secret",
  "shared_secret",
  "shared_secret_again",
  "advertisement_interval",
];

/** Ask for a group; `form` is null for a new one. */
export function askGroup(page, form) {
  const configuration = page.configuration();
  const group = form ?? NEW;
  let errors = {};
  ask({
    title: form ? `Edit Failover Group ${form.id}` : "Add Failover Group",
    confirm: "Submit",
    content: () => ({ body: [...fields(configuration, group, form !== null, errors), summary(errors)], whyNot: null }),
    done: async (element) => {
      try {
        errors = {};
        checkBackup(element);
        const path = "/api/configuration/groups";
        const texts = { ...asTyped(element), revision: configuration.revision };
        await (form ? change(page, "PUT", `${path}/${form.id}`, texts) : change(page, "POST", path, texts));
      } catch (error) {
        errors = error.errors ?? {};
        if (Object.keys(errors).length > 0) error.message = "Nothing was submitted: see what stands beside the fields.";
        throw error;
      }
    },
  });
}

/** 255 has a button of its own, as on the WSA; to the file both are one number. */
function checkBackup(element) {
  const { role, backup_priority: backup } = Object.fromEntries(new FormData(element));
  if (role === "backup" && backup.trim() === MASTER_PRIORITY)
    throw Object.assign(new Error(), { errors: { priority: "255: is the master's; a backup has 1 to 254" } });
}

/** What was typed, with the names of the configuration interface. */
function asTyped(element) {
  const typed = Object.fromEntries(new FormData(element));
  const { role, backup_priority: backup, security, ...texts } = typed;
  return {
    ...texts,
    virtual_ip: texts.virtual_ip.split(/[,;]/).map((address) => address.trim()),
    priority: role === "master" ? MASTER_PRIORITY : backup,
    has_secret: security === "on",
  };
}

function fields(configuration, group, isEdit, errors) {
  const isMaster = String(group.priority) === MASTER_PRIORITY;
  return [
    line(
      "id",
      "Failover Group ID",
      "1 to 255, the same on all nodes",
      input("id", group.id, errors, { inputmode: "numeric" }),
      errors,
    ),
    line("description", "Description", null, input("description", group.description, errors), errors),
    line("hostname", "Hostname", "for example proxy.example.com", input("hostname", group.hostname, errors), errors),
    line(
      "virtual_ip",
      "Virtual IP Address and Netmask",
      "for example 10.0.0.3/24 or 2001:420:80:1::5/32; several with commas",
      input("virtual_ip", group.virtual_ip.join(", "), errors),
      errors,
    ),
    line("interface", "Interface", null, interfaceMenu(configuration.interfaces, group.interface, errors), errors),
    choices(
      "priority",
      "Priority",
      [
        h("label", {}, radio("role", "master", isMaster), " Master (255)"),
        h(
          "label",
          {},
          radio("role", "backup", !isMaster),
          " Backup, 1 to 254: ",
          input(
            "backup_priority",
            isMaster ? "200" : group.priority,
            errors,
            { inputmode: "numeric", class: "short", "aria-label": "Priority of a backup" },
            "priority",
          ),
        ),
      ],
      errors,
    ),
    ...secretFields(group, isEdit, errors),
    line(
      "advertisement_interval",
      "Advertisement Interval",
      "seconds, 1 to 255, the same on all nodes",
      input("advertisement_interval", group.advertisement_interval, errors, { inputmode: "decimal", class: "short" }),
      errors,
    ),
  ];
}

function secretFields(group, isEdit, errors) {
  const keep =
    isEdit && group.has_secret ? "leave empty to keep the one that is set" : "12 to 19 bytes, the same on all nodes";
  const hint = group.secret_file ? `it is in the file ${group.secret_file}; change it there` : keep;
  const secret = { type: "password", autocomplete: "new-password", disabled: Boolean(group.secret_file) };
  const security = h("input", {
    type: "checkbox",
    name: "security",
    checked: group.has_secret,
    ...marks("has_secret", errors),
  });
  return [
    h(
      "p",
      { class: "field", "data-key": "security" },
      h("label", {}, security, " Enable Security for Service"),
      errorText("has_secret", errors),
    ),
    line("shared_secret", "Shared Secret", hint, input("shared_secret", "", errors, secret), errors),
    line("shared_secret_again", "Retype Shared Secret", null, input("shared_secret_again", "", errors, secret), errors),
  ];
}

function interfaceMenu(interfaces, chosen, errors) {
  const names = interfaces.map((each) => each.name);
  const unknown =
    chosen === "auto" || names.includes(chosen)
      ? []
      : [h("option", { value: chosen, selected: true }, `${chosen} (not on this host now)`)];
  return h(
    "select",
    { id: "field-interface", name: "interface", ...marks("interface", errors) },
    h("option", { value: "auto", selected: chosen === "auto" }, "Select Interface Automatically"),
    interfaces.map(({ name, addresses }) =>
      h(
        "option",
        { value: name, selected: name === chosen },
        `${name} ${addresses.length ? `(${addresses.join(", ")})` : ""}`,
      ),
    ),
    unknown,
  );
}

/** Ties an input to its error, and to its hint. */
function marks(name, errors) {
  const described = [errors[name] && `error-${name}`, `hint-${name}`].filter(Boolean).join(" ");
  return { "aria-invalid": errors[name] ? "true" : null, "aria-describedby": described };
}

function input(name, value, errors, attributes = {}, errorName = name) {
  return h("input", {
    id: `field-${name}`,
    name,
    value,
    autocomplete: "off",
    ...marks(errorName, errors),
    ...attributes,
  });
}

function radio(name, value, isChosen) {
  return h("input", { type: "radio", name, value, checked: isChosen });
}

function line(name, label, hint, control, errors) {
  return h(
    "p",
    { class: "field", "data-key": `field-${name}` },
    h("label", { for: `field-${name}` }, label),
    control,
    hint && h("small", { id: `hint-${name}`, class: "hint" }, hint),
    errorText(name, errors),
  );
}

function choices(name, label, controls, errors) {
  return h(
    "fieldset",
    { class: "field", "data-key": `field-${name}` },
    h("legend", {}, label),
    controls,
    errorText(name, errors),
  );
}

function errorText(name, errors) {
  return errors[name] && h("span", { class: "error", id: `error-${name}`, "data-key": "error" }, errors[name]);
}

/** What is wrong with no field of this form. */
function summary(errors) {
  const others = Object.entries(errors).filter(([name]) => !FIELDS.includes(name));
  return (
    others.length > 0 &&
    h(
      "ul",
      { class: "error", role: "alert", "data-key": "others" },
      others.map(([name, text]) => h("li", {}, name ? `${name}: ${text}` : text)),
    )
  );
}
