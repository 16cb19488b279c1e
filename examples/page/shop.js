// The shop's page. It is loaded once: all that happens later comes from the router.
//
// HTTP brings the state at the start, and takes the forms to the app. WAMP, by autobahn-js, brings
// what the app publishes, and takes calls to the app's procedures.

"use strict";

const element = (id) => document.getElementById(id);
const rows = new Map();
let connection = null;
let session = null;

// HTTP: the app's views.

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function post(form) {
  const headers = {};
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/); // which Django asks for
  if (token) headers["X-CSRFToken"] = token[1];
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", headers, body });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? `${answer.status} ${answer.statusText}`);
  return said;
}

// WAMP: what the app publishes, and its procedures.

function connect(state) {
  connection?.close();
  session = null;
  show_live("not live");
  if (!window.autobahn) {
    show_live("not live: autobahn-js is not there, see the README");
    return;
  }
  const mine = new autobahn.Connection({
    url: state.router,
    realm: state.realm,
    max_retries: -1,
    initial_retry_delay: 0.5,
    max_retry_delay: 5,
    ...(state.user ? ticket_login(state.user) : {}),
  });
  mine.onopen = async (opened) => {
    await opened.subscribe("com.shop.ordered", ([product, quantity]) =>
      tell(`${quantity} x ${product} sold`),
    );
    await opened.subscribe("com.shop.changed", ([name, price, stock]) =>
      show_product({ name, price, stock }),
    );
    // What changed before that, or while there was no connection.
    (await get("state")).products.forEach(show_product);
    if (connection !== mine) return;
    session = opened;
    show_live("live");
  };
  mine.onclose = (_reason, details) => {
    if (connection !== mine) return true;
    session = null;
    show_live(`not live: ${details.reason ?? "the router is away"}`);
    return false; // try again
  };
  connection = mine;
  mine.open();
}

// A user who is logged in with the app logs in to the router with a ticket that the app gives.
function ticket_login(user) {
  return {
    authmethods: ["ticket"],
    authid: user,
    onchallenge: async () => (await get("ticket")).ticket,
  };
}

async function call(procedure, args) {
  if (!session) throw new Error("there is no connection to the router");
  try {
    return await session.call(procedure, args);
  } catch (error) {
    throw new Error(error.error ?? error); // the WAMP error's URI
  }
}

// What is seen.

function show_live(text) {
  element("live").textContent = text;
  element("live").classList.toggle("on", text === "live");
}

function tell(text) {
  const line = document.createElement("li");
  line.textContent = text;
  element("news").prepend(line);
}

function show_product({ name, price, stock }) {
  const row = rows.get(name) ?? add_row(name);
  row.querySelector(".price").textContent = price.toFixed(2);
  row.querySelector(".stock").textContent = stock;
}

function add_row(name) {
  const row = element("row").content.firstElementChild.cloneNode(true);
  row.dataset.product = name;
  row.querySelector(".name").textContent = name;
  for (const field of row.querySelectorAll("[name=product]")) field.value = name;
  on_submit(row.querySelector(".order"), async (form) => {
    const sold = await post(form);
    return `you bought ${sold.quantity} x ${sold.product}`;
  });
  on_submit(row.querySelector(".deliver"), async (form) => {
    await post(form);
    return `more ${name} is on its way`;
  });
  on_submit(row.querySelector(".set-price"), async (form) => {
    await call("com.shop.set_price", [name, form.price.valueAsNumber]);
    return `you set the price of a ${name}`;
  });
  row.querySelector(".ask").addEventListener("click", () =>
    answering(async () => {
      const price = await call("com.shop.price", [name]);
      return `the shop says: a ${name} costs ${price.toFixed(2)}`;
    }),
  );
  rows.set(name, row);
  element("products").append(row);
  return row;
}

function on_submit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answering(() => act(form));
  });
}

async function answering(act) {
  element("answer").textContent = "";
  try {
    element("answer").textContent = await act();
  } catch (error) {
    element("answer").textContent = error.message;
  }
}

// Where the app has users, the page has a login, and what only some users may do.
function show_user(user) {
  document.body.classList.add("has-users");
  element("login").hidden = Boolean(user);
  element("logout").hidden = !user;
  element("user").textContent = user;
}

async function start() {
  const state = await get("state");
  state.products.forEach(show_product);
  if ("user" in state) show_user(state.user);
  connect(state);
}

for (const id of ["login", "logout"]) {
  on_submit(element(id), async (form) => {
    await post(form);
    form.reset();
    await start();
    return "";
  });
}
answering(async () => {
  await start();
  return "";
});
