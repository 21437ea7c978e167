// "Try it" for each endpoint: sends a request with the entered parameters and shows the response as text.

const MAX_CHARS = 100_000;

const theme = storedTheme();
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;

for (const section of document.querySelectorAll(".operation")) addTryIt(section);

/** The theme chosen on the site; null if storage is blocked. */
function storedTheme() {
  try {
    return localStorage.getItem("peakedex.theme");
  } catch {
    return null;
  }
}

/** Adds a button, and keeps the link beside it in step with the parameter fields. */
function addTryIt(section) {
  const line = section.querySelector(".try") ?? section.appendChild(element("p", "try"));
  const link = line.querySelector("a") ?? line.appendChild(element("a"));
  const button = element("button", "", "Try it");
  button.type = "button";
  line.prepend(button);
  const output = element("pre");
  output.tabIndex = 0;
  output.hidden = true;
  output.setAttribute("role", "status");
  line.after(output);
  const updateLink = () => {
    link.href = addressOf(section);
    link.textContent = link.getAttribute("href");
  };
  for (const input of section.querySelectorAll("input")) {
    input.addEventListener("input", updateLink);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") button.click();
    });
  }
  updateLink();
  button.addEventListener("click", () => sendRequest(link.href, output));
}

/** The address with the entered parameters; empty ones are omitted. */
function addressOf(section) {
  let path = section.dataset.path;
  const query = new URLSearchParams();
  for (const input of section.querySelectorAll("input")) {
    const value = input.value.trim();
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(value || "0"));
    else if (value !== "") query.set(input.name, value);
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function sendRequest(address, output) {
  output.hidden = false;
  output.textContent = "Loading…";
  try {
    const response = await fetch(address, { credentials: "omit" });
    const head = `${response.status} ${response.statusText}\n\n`;
    output.classList.toggle("refused", !response.ok);
    if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      await response.body.cancel();
      output.textContent = `${head}Event stream: read it with EventSource or curl -N.`;
      return;
    }
    output.textContent = head + formatBody(await response.text());
  } catch (error) {
    output.classList.add("refused");
    output.textContent = `Request failed: ${error.message}`;
  }
}

/** Indented JSON, or other text as it is, truncated to MAX_CHARS. */
function formatBody(text) {
  const shown = text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}\n… (truncated)` : text;
  try {
    return shown === text ? JSON.stringify(JSON.parse(text), null, 2) : shown;
  } catch {
    return shown;
  }
}

function element(name, className = "", text = "") {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
}
