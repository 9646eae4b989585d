"""The studio's page: sliders, choices, the chart and the answers, served on this machine alone."""

from __future__ import annotations

import socket
import webbrowser
from pathlib import Path
from typing import Any

from dse.report.assets.markup import Html, element, words
from dse.studio import words as say
from dse.studio.chart import NOW, TRAIL, chart
from dse.studio.desk import Desk
from dse.studio.front import Front
from dse.studio.guard import Guard
from dse.studio.knobs import Knob
from dse.studio.state import Studio

STYLE = Path(__file__).parent / "assets" / "page.css"
VALUE = "(e) => emit(e.target.value)"
SCHEME = """
const dark = matchMedia("(prefers-color-scheme: dark)"), small = matchMedia("(max-width: 40rem)");
const tell = () => emitEvent("look", [dark.matches, small.matches]);
dark.addEventListener("change", tell); small.addEventListener("change", tell); tell();
"""
EACH = 0.04  # seconds between the moves of a slider that are worked out


def serve(studio: Studio, front: Front, folder: Path, opened: socket.socket, port: int, browse: bool) -> None:
    """Serve the page on an open socket until it is interrupted."""
    import uvicorn
    from fastapi import FastAPI
    from nicegui import app, ui

    desk = Desk(studio, front, folder)
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @ui.page("/")
    def page() -> None:
        Page(desk).build()

    ui.run_with(outer, title="inferscape studio", dark=None, tailwind=False, show_welcome_message=False)
    if browse:
        app.on_startup(lambda: webbrowser.open(f"http://127.0.0.1:{port}"))
    config = uvicorn.Config(
        Guard(outer, port), log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False
    )
    uvicorn.Server(config).run(sockets=[opened])  # hands an interrupt on once it has closed


class Page:
    """One open page; all pages show one session."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.studio = desk, desk.studio
        self.axes = say.first_axes(self.studio.goals.objectives)
        self.dark, self.narrow = False, False
        self.boxes: dict[str, Any] = {}
        self.focus = ""

    def build(self) -> None:
        from nicegui import ui

        self.client = ui.context.client
        ui.add_css(STYLE.read_text(encoding="utf-8"))
        with ui.element("main").props('id="studio"'):
            self.head = markup("header")
            with ui.element("div").classes("desk"):
                self.controls = (
                    ui.element("div").classes("controls").props('inert role="region" aria-label="what may be moved"')
                )
                with ui.element("div").classes("answers"):
                    self._answers()
        self.desk.pages.append(self)
        self.client.on_delete(self.leave)
        ui.on("look", lambda event: self._look(event.args))
        self.client.on_connect(self._connected)
        self.show(rebuild=True)

    def _connected(self) -> None:
        self.client.run_javascript(SCHEME)
        self.controls.props(remove="inert")  # what is moved before anyone listens would be lost

    def leave(self) -> None:
        """The page was closed."""
        if self in self.desk.pages:
            self.desk.pages.remove(self)

    def _answers(self) -> None:
        from nicegui import ui

        self.strip = markup("div").classes("strip")
        with ui.element("section").classes("charted"):
            self.told = markup("p").classes("status").props('role="status" aria-live="polite"')
            self.limits = markup("div")
            with ui.element("div").classes("line"):
                self._axis(1, "up")
                self._axis(0, "across")
            self.plot = (
                ui.plotly(self._figure()).classes("plot").props('role="img" aria-label="the machine against others"')
            )
        with ui.element("section"):
            title("Keep what was found")
            self._keeping()
        with ui.element("div").classes("pair"):
            with ui.element("section"):
                title("Every answer (modelled)")
                self.table = markup("div")
            with ui.element("section"):
                title("Best mapping")
                self.mapping = markup("div")
                title("By cause")
                self.shares = markup("div")

    def _axis(self, place: int, where: str) -> None:
        options = [(name, words(name)) for name in say.axes()]
        select(f"axis-{where}", where, options, self.axes[place], lambda name: self._turned(place, name))

    def _turned(self, place: int, name: Any) -> None:
        if name in say.axes():
            self.axes = (str(name), self.axes[1]) if place == 0 else (self.axes[0], str(name))
            self._draw()

    def _look(self, given: Any) -> None:
        self.dark, self.narrow = bool(given[0]), bool(given[1])
        self._draw()

    def _figure(self) -> dict[str, Any]:
        senses = say.senses(self.studio.goals.objectives)
        return chart(self.axes, self.desk.front, self.studio.trail, senses, self.dark, self.narrow)

    def _draw(self) -> None:
        self.plot.update_figure(self._figure())
        self.baselines = len(self.desk.front.baselines)

    def _keeping(self) -> None:
        from nicegui import ui

        with ui.element("div").classes("line"):
            box = ui.element("input").props(
                'type="text" id="name" placeholder="a_name" maxlength="60" aria-label="name to keep it by"'
            )
            box.on("input", lambda event: setattr(self, "name", text_of(event.args)), js_handler=VALUE)
            self.name = ""
            box.on("keydown.enter", lambda event: self.desk.keep(self.name), js_handler="() => emit()")
            button("Keep", lambda: self.desk.keep(self.name))
            button("Copy the command line", lambda: ui.clipboard.write(self.studio.command()))
        self.command = markup("div").classes("command")
        self.saved = markup("div")

    # What is shown anew.

    def show(self, rebuild: bool = False) -> None:
        """All that follows from the session."""
        studio = self.studio
        if rebuild:
            self._rebuild()
        self.head.content = element("h1", say.title(studio)) if rebuild else self.head.content
        self.strip.content = say.strip(studio, self.desk.front)
        self.limits.content = say.limits(studio)
        self.table.content = say.answers(studio)
        self.mapping.content = say.mapping(studio)
        self.shares.content = say.shares(studio)
        self.command.content = element("code", studio.command(), id="command")
        again = element("p", "Rebuilt by ", element("code", self.desk.saved, id="saved")) if self.desk.saved else ""
        self.saved.content = again
        self.status()
        for key, (box, knob) in self.boxes.items():
            put(box, value=self._shown(knob, key))
        self._move(rebuild)

    def _move(self, rebuild: bool) -> None:
        """The point and its trail; the rest of the chart only where it is another."""
        figure = self._figure()
        if rebuild or getattr(self, "baselines", -1) != len(self.desk.front.baselines):
            self._draw()
            return
        self.plot.figure = figure
        moved = [figure["data"][place] for place in (TRAIL, NOW)]
        self.plot.run_plot_method("restyle", {letter: [one[letter] for one in moved] for letter in "xy"}, [TRAIL, NOW])

    def status(self) -> None:
        """What was said last."""
        cls = "alert" if self.desk.wrong else None
        self.told.content = element("span", self.desk.said or "\u00a0", class_=cls, role="alert" if cls else None)

    def _shown(self, knob: Knob, key: str) -> str:
        factor, unit = knob.shown
        return f"{self.studio.value(key) * factor:.6g} {unit}".strip()

    def _rebuild(self) -> None:
        """Choices and sliders, for the machine as it is."""
        from nicegui import ui

        self.controls.clear()
        self.boxes = {}
        with self.controls:
            for group, (now, options) in self.studio.files().items():
                select(f"pick-{group}", group.removeprefix("hw/"), [(o, o) for o in options], now,
                       lambda name, group=group: self._picked(group, name), "pick")  # fmt: skip
            with ui.element("div").classes("line"):
                button("Back to the start", self.desk.reset)
                button("Undo", self.desk.undo)
                button("What moves it most", self.desk.explain)
                if self.desk.front.config.get("baselines") and not self.desk.front.baselines:
                    button("Work out the baselines", self.desk.compare)
            for key, knob in self.studio.knobs().items():
                self._knob(key, knob)
            self._search()
        if self.focus:
            self.client.run_javascript(f"document.getElementById({self.focus!r})?.focus()")
            self.focus = ""

    def _picked(self, group: str, name: Any) -> None:
        self.focus = f"pick-{group}" if group in self.studio.files() else ""
        self.desk.pick(group, name)

    def _knob(self, key: str, knob: Knob) -> None:
        from nicegui import ui

        folder, _, last = key.rpartition(".")
        with ui.element("div").classes("knob"):
            markup("label", element("span", words(last), " ") + element("small", folder)).props(f'for="box-{key}"')
            if knob.ticks:
                slider = ui.element("input").props(f'type="range" id="slide-{key}" min="0" step="1"')
                put(slider, max=knob.ticks, value=knob.position(self.studio.value(key)))
                put(slider, **{"aria-label": key, "aria-valuetext": self._shown(knob, key)})
                slider.on("input", lambda event: self._slid(slider, key, event.args), js_handler=VALUE, throttle=EACH)
                slider.on("change", lambda event: self._stopped(slider, knob, event.args), js_handler=VALUE)
            else:
                markup("span", "no slider: type a number").classes("still")
            box = ui.element("input").props(f'type="text" id="box-{key}" maxlength="40" autocomplete="off"')
            put(box, **{"aria-label": f"{key}, as a number"})
            box.on("change", lambda event: self._typed(key, event.args), js_handler=VALUE)
        self.boxes[key] = (box, knob)

    def _slid(self, slider: Any, key: str, given: Any) -> None:
        position = text_of(given)
        with slider._props.suspend_updates():  # the browser has it already
            slider._props["value"] = position
        self.desk.turn(key, position)

    def _stopped(self, slider: Any, knob: Knob, given: Any) -> None:
        position = text_of(given)
        self.desk.turn(knob.key, position)
        if position.isdigit():
            factor, unit = knob.shown
            put(
                slider,
                **{"value": position, "aria-valuetext": f"{knob.at(float(position)) * factor:.6g} {unit}".strip()},
            )

    def _typed(self, key: str, given: Any) -> None:
        self.focus = f"box-{key}"
        self.desk.type(key, text_of(given))

    def _search(self) -> None:
        from nicegui import ui

        shown = self.studio.knobs()
        keys = [key for key in self.studio.rules if key not in shown]
        markup("datalist", Html("".join(element("option", value=key) for key in keys))).props('id="others"')
        with ui.element("div").classes("line"):
            label = 'aria-label="another number of the machine" placeholder="another number of the machine"'
            box = ui.element("input").props(f'type="text" list="others" id="another" autocomplete="off" {label}')
            box.on("change", lambda event: self.desk.ask(text_of(event.args)), js_handler=VALUE)


def text_of(given: Any) -> str:
    """What the browser sent, as a short text."""
    return str(given[0] if isinstance(given, (list, tuple)) and given else given)[:120]


def put(made: Any, **values: Any) -> None:
    """Give an element these attributes, where they are others than before."""
    if any(made._props.get(name) != value for name, value in values.items()):
        with made._props.suspend_updates():
            made._props.update(values)
        made.update()


def markup(tag: str, content: str = "") -> Any:
    """An element whose content is markup of ours, in which all that was given is escaped."""
    from nicegui import ui

    return ui.html(content, sanitize=False, tag=tag)


def title(text: str) -> None:
    """A head of a section."""
    markup("h2", element("span", text))


def button(text: str, work: Any) -> None:
    """A plain button."""
    from nicegui import ui

    with ui.element("button").props('type="button"').classes("plain").on("click", lambda: work()):
        markup("span", element("span", text))


def select(name: str, label: str, options: list[tuple[str, str]], now: str, work: Any, cls: str = "") -> None:
    """A choice with its label."""
    from nicegui import ui

    lines = [
        element("option", text, value=value, selected="selected" if value == now else None) for value, text in options
    ]
    with ui.element("div").classes(cls):
        markup("label", element("span", label, " ")).props(f'for="{name}"')
        made = markup("select", Html("".join(lines))).props(f'id="{name}"')
        made.on("change", lambda event: work(text_of(event.args)), js_handler=VALUE)
