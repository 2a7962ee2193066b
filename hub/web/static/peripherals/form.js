// Setting a peripheral up, or changing what is set about it: the fields are the driver's own.

import * as api from "../api.js";
import { field, say } from "../kit/dialog.js";
import { el } from "../kit/dom.js";
import { readInto } from "../kit/list.js";
import { backLink, empty, fold, freshId } from "../kit/parts.js";
import { t, word } from "../kit/t.js";
import { isolated } from "../kit/words.js";
import { may, mayNot } from "../me.js";
import { freeId } from "./find.js";
import { optionFields, optionValues } from "./options.js";
import { knownDrivers, nameOf, placeOf, tills } from "./words.js";

const KINDS = ["printer", "drawer", "scanner", "scale", "display", "terminal"];
const HANGS = ["drawer", "display"];

function driverChoice(drivers, chosen, act) {
  const id = freshId("driver");
  const select = el("select", { id, name: "driver", on: { change: () => act(select.value) } },
    KINDS.map((kind) => {
      const these = drivers.filter((one) => one.kind === kind);
      return these.length ? el("optgroup", { label: word("kind", kind) },
        these.map((one) => el("option", { value: one.key }, one.title))) : "";
    }));
  select.value = chosen;
  return [el("label", { for: id }, t("peripheral.driver.ask")), select];
}

function servesField(chosen) {
  const known = tills().map((one) => [one.device_id, one.name]);
  const unknown = chosen.filter((id) => !known.some(([one]) => one === id)).map((id) => [id, isolated(id)]);
  const all = [...known, ...unknown];
  if (!all.length) return "";
  return el("fieldset", { class: "choices" }, el("legend", {}, t("peripheral.serves")),
    el("p", { class: "quiet" }, t("peripheral.serves.hint")),
    all.map(([id, name]) => {
      const box = el("input", { type: "checkbox", name: "serves", value: id });
      box.checked = chosen.includes(id);
      return el("label", { class: "check-label" }, box, el("span", {}, name));
    }));
}

// Another peripheral it leans on: the printer it hangs on, or who prints when it can't.
function leanField(name, one, all) {
  const printers = all.filter((each) => each.kind === "printer" && each.id !== one.id);
  if (!printers.length && !one[name]) return [];
  const options = [["", t("peripheral.nobody")], ...printers.map((each) => [each.id, nameOf(each)])];
  if (one[name] && !printers.some((each) => each.id === one[name])) options.push([one[name], one[name]]);
  return field({ name, label: t(`peripheral.${name}`), hint: t(`peripheral.${name}.hint`), options, value: one[name] || "" });
}

// Open where something is set; else they are as the driver has them.
function optionsFold(driver, values) {
  const fields = optionFields(driver, values);
  if (!fields.length) return "";
  const made = fold(t("peripheral.options"), ...fields.map((one) => el("div", {}, field(one))));
  made.open = Object.keys(values).length > 0;
  made.classList.add("form-options");
  return made;
}

function fieldsOf(driver, one, all, fresh) {
  const examples = (driver.addresses || []).join(", ");
  return [
    driver.addresses?.length || one.address ? field({
      name: "address",
      label: t("peripheral.address"),
      hint: examples ? t("peripheral.address.hint", { examples }) : undefined,
      value: one.address || "",
      maxlength: 200,
      required: Boolean(driver.addresses?.length),
    }) : [],
    field({ name: "name", label: t("peripheral.name"), value: one.name || "", maxlength: 60, placeholder: t("peripheral.name.example") }),
    fresh ? field({
      name: "id", label: t("device.id"), hint: t("peripheral.id.hint"), required: true, maxlength: 40,
      value: freeId(driver.kind, all.map((each) => each.id)),
    }) : [],
    servesField(one.serves || []),
    HANGS.includes(driver.kind) ? leanField("via", one, all) : [],
    driver.kind === "printer" ? leanField("fallback", one, all) : [],
    optionsFold(driver, one.options || {}),
  ].flat(3);
}

function asked(driver, typed, id) {
  const text = (name) => (typed.get(name) || "").trim();
  return {
    id: id || text("id"),
    driver: driver.key,
    address: text("address"),
    name: text("name"),
    serves: typed.getAll("serves"),
    ...(text("via") ? { via: text("via") } : {}),
    ...(text("fallback") ? { fallback: text("fallback") } : {}),
    options: optionValues(driver, Object.fromEntries(typed)),
  };
}

// `id`: of the one that is changed, else it is a new one.
export function openForm(root, id = "") {
  const title = el("h1", { tabindex: "-1" }, t(id ? "peripheral.change.title" : "peripheral.add"));
  const back = id ? backLink(placeOf(id), id) : backLink("#/peripherals", t("nav.peripherals"));
  const body = el("div");
  root.append(back, el("div", { class: "page-head" }, title), body);
  if (!may("peripherals")) {
    body.append(mayNot("peripherals"));
    return {};
  }
  const read = async (ask) => [(await ask("/api/1/peripherals")).peripherals, await knownDrivers()];
  const reading = readInto(body, read, ([all, drivers]) => {
    const one = id ? all.find((each) => each.id === id) : {};
    if (!one) return empty(t("peripheral.gone"), t("peripheral.gone.hint"));
    if (one.source === "settings") return empty(t("peripheral.readonly"), t("peripheral.readonly.hint"));
    if (!drivers.length) return empty(t("peripheral.nodrivers"));
    if (id) title.textContent = t("peripheral.change.of", { name: nameOf(one) });
    return make(one, all, drivers, id);
  });
  return { close: reading.stop };
}

function make(one, all, drivers, id) {
  const driverOf = (key) => drivers.find((each) => each.key === key);
  let driver = driverOf(one.driver) || drivers.find((each) => each.kind === KINDS[0]) || drivers[0];
  const fields = el("div", { class: "form-fields" });
  const error = el("p", { class: "error", role: "alert" });
  const submit = el("button", { type: "submit", class: "primary" }, t("peripheral.save"));
  const draw = () => fields.replaceChildren(...fieldsOf(driver, one, all, !id).filter(Boolean));
  const made = el("form", { class: "card form-card", id: "peripheral-form" },
    driverChoice(drivers, driver.key, (key) => { driver = driverOf(key); draw(); }), fields, error,
    el("div", { class: "buttons" }, submit,
      el("a", { class: "button plain", href: id ? placeOf(id) : "#/peripherals" }, t("cancel"))));
  draw();
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    submit.disabled = true;
    try {
      const wanted = asked(driver, new FormData(made), id);
      await api.change("peripheral", "configure", wanted);
      say(t("peripheral.saved", { name: wanted.name || wanted.id }));
      location.hash = placeOf(wanted.id);
    } catch (refused) {
      error.textContent = refused.message;
    } finally {
      submit.disabled = false;
    }
  });
  return made;
}
