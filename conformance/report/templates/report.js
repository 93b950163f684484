// Adds a filter above the table of results; without it everything is shown.
(function () {
  "use strict";
  var bar = document.getElementById("filter");
  var table = document.getElementById("results");
  if (!bar || !table) return;
  var buttons = [];
  function choose(chosen) {
    buttons.forEach(function (button) {
      button.setAttribute("aria-pressed", String(button === chosen));
    });
    var wanted = chosen.dataset.verdict;
    table.querySelectorAll("tbody").forEach(function (group) {
      var rows = Array.prototype.slice.call(group.querySelectorAll("tr[data-verdict]"));
      rows.forEach(function (row) {
        var verdict = row.dataset.verdict;
        row.hidden = !(wanted === "" || verdict === wanted || (wanted === "!" && verdict !== "PASS"));
      });
      group.hidden = rows.every(function (row) { return row.hidden; });
    });
  }
  JSON.parse(bar.dataset.choices).forEach(function (choice) {
    var button = document.createElement("button");
    button.type = "button";
    button.dataset.verdict = choice[0];
    button.textContent = choice[1];
    button.addEventListener("click", function () { choose(button); });
    buttons.push(button);
    bar.appendChild(button);
  });
  bar.hidden = false;
  choose(buttons[0]);
  window.addEventListener("beforeprint", function () { choose(buttons[0]); });
})();
