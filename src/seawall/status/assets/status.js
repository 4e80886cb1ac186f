// The page is complete without this.  It keeps the ages true, says when the page is out of date,
// and loads the page again when there is something new.
"use strict";
(() => {
  const body = document.body;
  const language = document.documentElement.lang;
  const relative = new Intl.RelativeTimeFormat(language + "-u-nu-latn", { numeric: "always" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const headline = document.querySelector("h1[data-unknown]");
  const known = headline && headline.textContent;
  let at = Number(body.dataset.at);

  const ago = (seconds) => {
    const [unit, size] = units.find(([, each]) => seconds >= each) || units[3];
    return relative.format(-Math.floor(seconds / size), unit);
  };

  const tell = () => {
    const now = Date.now();
    const seconds = Math.max(0, Math.floor((now - at) / 1000));
    const age = document.getElementById("age");
    if (age) age.textContent = age.dataset.now.replace("{age}", ago(seconds));
    const stale = seconds > Number(body.dataset.stale);
    const note = document.getElementById("stale");
    if (note && note.hidden === stale) note.hidden = !stale;
    const told = stale ? headline?.dataset.unknown : known;
    if (headline && headline.textContent !== told) headline.textContent = told;
    body.classList.toggle("is-stale", stale);
    for (const due of document.querySelectorAll(".due")) {
      const late = now > Number(due.dataset.due);
      due.querySelector(".by").hidden = late;
      due.querySelector(".late").hidden = !late;
    }
  };

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(body.dataset.site, { cache: "no-store" });
      const site = await answer.json();
      if (typeof site.atMs !== "number" || site.atMs < at) return;
      if (site.facts !== body.dataset.facts) location.reload();
      at = site.atMs;
    } catch {
      // Nothing newer can be had: the age tells.
    }
    tell();
  };

  tell();
  setInterval(tell, 1000);
  setInterval(look, 15000);
})();
