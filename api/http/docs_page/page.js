// Lets a reader ask each path from its own parameters, and shows the answer below. All text is set as text.

const LONGEST = 100_000;

const chosen = storedTheme();
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;

for (const section of document.querySelectorAll(".operation")) offer(section);

/** The theme that was chosen on the site; null where nothing may be stored. */
function storedTheme() {
  try {
    return localStorage.getItem("peakedex.theme");
  } catch {
    return null;
  }
}

/** Give a path a button, and keep the address beside it equal to what its fields say. */
function offer(section) {
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
  const renew = () => {
    link.href = addressOf(section);
    link.textContent = link.getAttribute("href");
  };
  for (const input of section.querySelectorAll("input")) {
    input.addEventListener("input", renew);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") button.click();
    });
  }
  renew();
  button.addEventListener("click", () => ask(link.href, output));
}

/** The path with what stands in its fields; empty ones are left out. */
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

async function ask(address, output) {
  output.hidden = false;
  output.textContent = "Asking…";
  try {
    const response = await fetch(address, { credentials: "omit" });
    const head = `${response.status} ${response.statusText}\n\n`;
    output.classList.toggle("refused", !response.ok);
    if (response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      await response.body.cancel();
      output.textContent = `${head}A stream: read it with EventSource, or with curl -N.`;
      return;
    }
    output.textContent = head + shown(await response.text());
  } catch (error) {
    output.classList.add("refused");
    output.textContent = `No answer: ${error.message}`;
  }
}

/** JSON with its lines broken; anything else as it is, up to a length that a page bears. */
function shown(text) {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… and more` : text;
  try {
    return cut === text ? JSON.stringify(JSON.parse(text), null, 2) : cut;
  } catch {
    return cut;
  }
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
