#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real Chromium, over a daemon of three embedded clusters that is asked all the time.

Every view, light and dark, wide and at 320 pixels: axe finds nothing, nothing is cut off, the console says nothing.
Then the keyboard alone, reduced motion, no scripts, a token, TLS, many tabs, thousands of names, a
daemon that goes away, and records in a real Knot DNS. Screenshots are left in $PINTLE_SCREENS.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import dns.message
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from apart import apart  # noqa: E402
from ports import free_port  # noqa: E402

PINTLED = os.environ["PINTLED"]
AXE = (pathlib.Path(sys.prefix) / "axe.min.js").read_text()
SCREENS = pathlib.Path(os.environ.get("PINTLE_SCREENS") or tempfile.mkdtemp(prefix="pintle-screens-"))
WAIT_S = 90
ROUTE = "inventory-default-1951cbe339d38e1f.pintle.internal"
NAMES = [(ROUTE, 10), ("userlist-svc.song.svc.clusterset.local", 5), ("redis.redis.svc.clusterset.local", 2),
         ("helloworld.sample.svc.clusterset.local", 3), ("nobody.song.svc.clusterset.local", 1), ("www.example.org", 1)]
# What a view shows once it has what it needs.
MANY = int(os.environ.get("PINTLE_WEB_NAMES", 2000))
VIEWS = {"overview": "p50 of a sample", "flow": ", seen ", "names": ROUTE, "explain": "Stands first",
         "records": "No records are configured", "queries": ROUTE, "findings": "PTL0405"}
TOKEN = "correct-horse-battery-staple"
N_LISTED = "return performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/v1/names')).length"
failed = []


def check(what, is_good, why=""):
    print(f"{'ok  ' if is_good else 'FAIL'} {what}{'' if is_good else f': {why}'}", flush=True)
    if not is_good:
        failed.append(what)


def wait_for(what, ask, seconds=WAIT_S):
    """The first true value of ask(); None after a failure that is told."""
    until = time.monotonic() + seconds
    error = "nothing came"
    while time.monotonic() < until:
        try:
            value = ask()
            if value:
                return value
        except Exception as caught:  # the page may be on its way
            error = str(caught).splitlines()[0]
        time.sleep(0.1)
    check(what, False, f"not within {seconds} s: {error}")
    return None


class Daemon:
    """pintled --dev, and somebody who asks it."""

    def __init__(self, dir, *args, dns=None, admin=None, scheme="http", is_asked=True):
        self.dns, self.admin = dns or free_port(), admin or f"127.0.0.1:{free_port()}"
        with open(dir / f"log-{self.dns}", "w") as log:
            self.process = subprocess.Popen([PINTLED, *(args or ["--dev"]), "--listen", f"127.0.0.1:{self.dns}", "--admin", self.admin],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the daemon answers", lambda: urllib.request.urlopen(
            f"{scheme}://{self.admin}/readyz", timeout=5, context=ssl._create_unverified_context() if scheme == "https" else None).status == 200)
        self.is_asked = is_asked
        self.asker = threading.Thread(target=self.ask, daemon=True)
        self.asker.start()

    def ask(self):
        draw = random.Random(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.dns))
            sock.settimeout(0.5)
            while self.is_asked:
                name = draw.choices([n for n, _ in NAMES], [w for _, w in NAMES])[0]
                try:
                    sock.send(dns.message.make_query(name, draw.choice(["A", "A", "A", "AAAA"])).to_wire())
                    sock.recv(4096)
                except OSError:
                    pass
                time.sleep(0.01)

    def ask_for(self, name, n):
        """So many questions of type A, each answered."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.dns))
            sock.settimeout(WAIT_S)
            for _ in range(n):
                sock.send(dns.message.make_query(name, "A").to_wire())
                sock.recv(4096)

    def stop(self):
        self.is_asked = False
        self.asker.join()
        self.process.terminate()
        check("the daemon ends well", self.process.wait(60) == 0)


def browser(has_scripts=True, more=(), service=None):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900", *more):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not has_scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options, service or Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(WAIT_S)
    driver.set_script_timeout(WAIT_S)
    return driver


def look(driver, scheme, width):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})


def text(driver):
    return driver.find_element(By.TAG_NAME, "main").text


def axe(driver, what):
    driver.execute_script(AXE)
    found = driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations.map("
        "(v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).slice(0, 3).join(' | ')}`)))")
    check(f"{what}: axe finds nothing", found == [], found)


def fits(driver, what):
    too_wide = driver.execute_script(
        "const w = document.documentElement.clientWidth; return document.documentElement.scrollWidth <= w ? [] :"
        "[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, .hidden, .skip') && e.getBoundingClientRect().right > w + 1)"
        ".map((e) => `${e.tagName}.${e.className}`).slice(0, 5)")
    check(f"{what}: nothing is cut off at the side", too_wide == [], too_wide)


def screenshot(driver, name):
    height = min(3000, driver.execute_script("return document.documentElement.scrollHeight"))
    width = driver.execute_script("return window.innerWidth")
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": max(height, 600), "deviceScaleFactor": 1, "mobile": False})
    time.sleep(0.3)  # the charts take their new size
    driver.save_screenshot(str(SCREENS / f"{name}.png"))


def go(driver, daemon, view):
    if not driver.current_url.startswith(f"http://{daemon.admin}/"):
        driver.get(f"http://{daemon.admin}/")
    query = f"?name={ROUTE}&from=c1" if view == "explain" else ""
    driver.execute_script(f"location.hash = '{view}{query}'")
    return wait_for(f"{view} shows what it should", lambda: VIEWS[view] in driver.execute_script("return document.querySelector('main').textContent"))


def all_views(driver, daemon):
    driver.get(f"http://{daemon.admin}/")
    wait_for("the stream is open", lambda: "live" in driver.find_element(By.ID, "live").text)
    wait_for("questions are counted", lambda: (go(driver, daemon, "overview") or True) and "µs" in text(driver) or " ms" in text(driver))
    for scheme in ("light", "dark"):
        for width in (1280, 320):
            for view in VIEWS:
                look(driver, scheme, width)
                what = f"{view}, {scheme}, {width} px"
                go(driver, daemon, view)
                if view == "overview":
                    wait_for("the charts", lambda: len(driver.find_elements(By.CSS_SELECTOR, ".chart canvas")) == 3)
                axe(driver, what)
                fits(driver, what)
                screenshot(driver, f"{view}-{scheme}-{width}")
    look(driver, "light", 1280)


def content(driver, daemon):
    go(driver, daemon, "overview")
    shown = text(driver)
    for words in ("c1", "c2", "c3", "in sync", "network far", "3 of 3", "To look at: 1 warning"):
        check(f"the overview says \"{words}\"", words in shown, shown[:300])
    check("the charts are drawn", wait_for("charts", lambda: len(driver.find_elements(By.CSS_SELECTOR, ".chart canvas")) == 3))

    go(driver, daemon, "names")
    search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys("song")
    rows = wait_for("a search narrows the names", lambda: [r.text for r in driver.find_elements(By.CSS_SELECTOR, "tbody tr")] if "1 name" in text(driver).split("\n") else None)
    check("a search finds by namespace", bool(rows) and "userlist-svc" in rows[0], rows)
    search.clear()
    search.send_keys(Keys.SPACE)
    driver.find_element(By.CSS_SELECTOR, "th button[data-key=name]").click()
    order = [r.text for r in driver.find_elements(By.CSS_SELECTOR, "tbody th")]
    check("a click on a title turns the order", order == sorted(order, reverse=True) and len(order) == 5, order)
    select = "getSelection().selectAllChildren(document.querySelector('tbody tr'))"
    driver.execute_script(f"{select}; document.querySelector('th button[data-key=name]').click()")
    order = [r.text for r in driver.find_elements(By.CSS_SELECTOR, "tbody th")]
    check("so it does when text of the list is selected", order == sorted(order) and len(order) == 5, order)
    driver.execute_script(select)
    choose(driver, "Made by", "HTTPRoute")
    order = [r.text for r in driver.find_elements(By.CSS_SELECTOR, "tbody th")]
    check("and what is chosen is what is shown", f"{len(order)} names" in text(driver) and 0 < len(order) < 5, order)

    go(driver, daemon, "explain")
    shown = text(driver)
    check("explain has the shares of the route", "10 %" in shown and "90 %" in shown, shown[:500])
    field = driver.find_element(By.CSS_SELECTOR, "input[name=name]")
    field.clear()
    field.send_keys("www.example.net", Keys.ENTER)
    wait_for("explain of a name that is not ours notes the zones there are", lambda: "its zones are clusterset.local" in text(driver))

    def split():
        driver.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        cells = driver.execute_script("return [...document.querySelectorAll('section[data-name^=inventory] .scroll:last-child tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")
        seen = [float(r[2].split()[0]) for r in cells if r[2] != "–"]
        return cells if len(seen) == len(cells) > 0 and abs(sum(seen) - 100) < 0.5 and all(
            abs(float(r[1].split()[0]) - float(r[2].split()[0])) < 8 for r in cells) else None

    go(driver, daemon, "flow")
    check("the flow's observed shares come to the wanted ones", wait_for("shares", split))

    said = basis(driver, "redis")
    check("it says whose answers they are", "answers to askers of c1" in said, said)
    choose(driver, "Seen from", "c2")
    said = wait_for("another cluster's askers", lambda: next((n for n in [basis(driver, "redis")] if "askers of c2" in n), None))
    check("who saw nothing is shown no shares of others", bool(said) and "no answer to askers of c2" in said and " to others" in said, said)
    choose(driver, "Seen from", "the default")
    driver.execute_script("location.hash = 'flow?name=redis.redis.svc.clusterset.local&from=c2'")
    wait_for("a link leads to one name's flow", lambda: [s.get_attribute("data-name") for s in driver.find_elements(By.CSS_SELECTOR, "section[data-name]")]
             == ["redis.redis.svc.clusterset.local."] and "no endpoint" not in text(driver))
    driver.execute_script("location.hash = 'overview'")
    driver.execute_script("location.hash = 'flow?name=&from='")

    go(driver, daemon, "findings")
    shown = text(driver)
    check("a finding has its code, its object and what to do", all(w in shown for w in ("PTL0405", "Network near", "To do:", "1 finding")), shown)
    check("it is counted", driver.find_element(By.ID, "count").text == "1", driver.find_element(By.ID, "count").text)
    choose(driver, "Severity", "error")
    check("findings are chosen by severity", "0 of 1 finding" in text(driver), text(driver))
    choose(driver, "Severity", "any")

    go(driver, daemon, "queries")
    link = driver.execute_script("return document.querySelector('tbody a').getAttribute('href')")
    check("a question leads to its explanation, as its asker", "from=127.0.0.1" in link and "name=" in link, link)
    box = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    box.send_keys("nxdomain", Keys.ENTER)

    def only_nxdomain():
        codes = driver.execute_script("return [...document.querySelectorAll('tbody tr')].map((r) => r.cells[3]?.textContent ?? '')")
        return codes and all("NXDOMAIN" in c for c in codes)

    check("a filter of queries is obeyed", wait_for("the filter", only_nxdomain))
    driver.find_element(By.XPATH, "//button[text()='Pause']").click()
    before = driver.execute_script("return document.querySelector('tbody').textContent")
    time.sleep(1.5)
    check("a pause holds the list", before == driver.execute_script("return document.querySelector('tbody').textContent"))
    driver.find_element(By.XPATH, "//button[text()='Pause']").click()
    in_hand(driver)


def in_hand(driver):
    """A list that moves is one that can be read, scrolled and copied from."""
    rows = "return document.querySelector('tbody').textContent"

    def moves(what):
        before = driver.execute_script(rows)
        return wait_for(what, lambda: driver.execute_script(rows) != before)

    look(driver, "light", 320)
    driver.execute_script("document.querySelector('main .scroll').scrollLeft = 90")
    moves("the list goes on at 320 pixels")
    at = driver.execute_script("return document.querySelector('main .scroll').scrollLeft")
    check("and stays where it was scrolled to", at == 90, at)
    driver.execute_script("document.querySelector('main .scroll').focus()")
    moves("it goes on for who has the focus in it")
    check("who keeps it", driver.execute_script("return document.activeElement.matches('main .scroll') && document.activeElement.scrollLeft === 90"))
    driver.execute_script("getSelection().selectAllChildren(document.querySelector('tbody tr'))")
    before = driver.execute_script(rows)
    time.sleep(1.5)
    check("text that is selected stays", before == driver.execute_script(rows) and driver.execute_script("return getSelection().toString()") != "")
    driver.execute_script("getSelection().removeAllRanges(); document.activeElement.blur()")
    moves("the list goes on")
    look(driver, "light", 1280)


def choose(driver, label, option):
    Select(driver.find_element(By.XPATH, f"//label[starts-with(., '{label}')]/select")).select_by_visible_text(option)


def basis(driver, name):
    """Of what the shares of a name are, as the flow says it."""
    return driver.execute_script("return document.querySelector(`section[data-name^=${arguments[0]}] .note`)?.textContent ?? ''", name)


def exact(driver, dir):
    """A route's answers are counted: 1000 questions for 90:10, to the last one."""
    subprocess.run([PINTLED, "--dev", "--export", str(dir / "counted")], check=True, stdout=subprocess.DEVNULL)
    daemon = Daemon(dir, "--clusters-dir", str(dir / "counted"), is_asked=False)

    def rows():
        return driver.execute_script("return [...document.querySelectorAll('section[data-name^=inventory] .scroll:nth-of-type(1) tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")

    def says(words):
        return wait_for(f"the flow says \"{words}\"", lambda: next((s for s in [basis(driver, "inventory")] if words in s), None))

    try:
        driver.get("about:blank")
        driver.get(f"http://{daemon.admin}/#flow?name={ROUTE}&from=c1")
        says("no answer yet since these shares are in force")
        # who has it in hand goes on seeing what is new; at once, for the flow is drawn anew all the time
        driver.execute_script("const s = document.querySelector('summary'); s.focus(); s.click()")
        daemon.ask_for(ROUTE, 1000)
        said = says("Counted: 1,000 answers since ")
        check("since when is a time of day", bool(re.search(r"since \d\d:\d\d:\d\d,", said or "")), said)
        # shares are spread evenly over the questions of each worker, so they are met to an answer or two
        shown = rows()
        check("both shares are there, wanted and counted", [r[:3] for r in shown] == [["inventory-ver1", "c1", "10 %"], ["inventory-ver2", "c2", "90 %"]]
              and abs(int(shown[0][4]) - 100) <= 2 and int(shown[0][4]) + int(shown[1][4]) == 1000
              and [r[3] for r in shown] == [f"{int(r[4]) / 10:g} %" for r in shown], shown)
        drawn = driver.execute_script("return [...document.querySelectorAll('.flow text')].map((t) => t.textContent)")
        check("in the drawing, too", all(f"wanted {r[2]}, seen {r[3]}" in drawn for r in shown), drawn)
        check("the focus is still where it was", driver.execute_script("return document.activeElement.tagName") == "SUMMARY")
        driver.get("about:blank")
        driver.get(f"http://{daemon.admin}/#flow?name={ROUTE}&from=c1")
        check("a page that is opened later has them, too", bool(says("Counted: 1,000 answers since these shares are in force, none of them since")) and rows() == shown, rows())
        daemon.ask_for(ROUTE, 20)
        says("Counted: 20 answers since ")
        for file in (dir / "counted" / "c1").iterdir():
            file.write_text(re.sub(r"weight: (10|90)\b", "weight: 50", file.read_text()))
        says("no answer yet since these shares are in force")
        daemon.ask_for(ROUTE, 100)  # more than before: a count that goes on would say 80
        says("Counted: 100 answers since ")
        check("other weights are counted anew", all(r[2] == "50 %" and abs(int(r[4]) - 50) <= 2 for r in rows()), rows())
        driver.execute_script("document.querySelector('summary').focus()")
        (dir / "counted" / "c1" / "inventory.yaml").unlink()
        check("a route that is gone is gone for who has its card in hand, too", wait_for("NXDOMAIN", lambda: "NXDOMAIN" in text(driver)))
    finally:
        daemon.stop()


def focused(driver):
    return driver.execute_script("const e = document.activeElement; return (e.textContent || e.getAttribute('aria-label') || e.name || e.tagName).trim().slice(0, 40)")


def press(driver, *keys):
    webdriver.ActionChains(driver).send_keys(*keys).perform()


def keyboard(driver, daemon):
    driver.get("about:blank")
    driver.get(f"http://{daemon.admin}/")
    wait_for("the page is there", lambda: "in sync" in text(driver))
    press(driver, Keys.TAB)
    check("Tab first comes to the link that skips", focused(driver) == "Skip to content", focused(driver))
    seen = []
    for _ in range(7):
        press(driver, Keys.TAB)
        seen.append(focused(driver).split()[0])
    check("then to each view in order", seen == ["Overview", "Flow", "Names", "Explain", "Records", "Queries", "Findings"], seen)
    ring = driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    check("the focus can be seen", ring != "none", ring)
    for _ in range(4):
        press(driver, Keys.SHIFT, Keys.TAB)
    driver.find_element(By.CSS_SELECTOR, "#tabs a[href='#names']").send_keys(Keys.ENTER)
    wait_for("Enter opens a view", lambda: driver.execute_script("return location.hash") == "#names" and ROUTE in text(driver))
    check("and the focus goes into it", driver.execute_script("return document.activeElement.id") == "main")
    press(driver, Keys.TAB)
    press(driver, "inventory")
    check("the search takes letters", wait_for("the search", lambda: "1 name" in text(driver).split("\n")))
    for _ in range(20):
        press(driver, Keys.TAB)
        if focused(driver).startswith(ROUTE[:20]):
            break
    press(driver, Keys.ENTER)
    check("Enter on a name explains it", wait_for("explain", lambda: "Stands first" in text(driver) and "90 %" in text(driver)))


def without_scripts(daemon):
    driver = browser(has_scripts=False)
    try:
        driver.get(f"http://{daemon.admin}/")
        wait_for("without scripts the tables come", lambda: driver.current_url.endswith("/plain"))
        shown = driver.find_element(By.TAG_NAME, "body").text
        for words in ("Clusters", "in sync", "Look again", "PTL0405", "Network near", "To do: give the network gateways", ROUTE, "userlist-svc.song.svc.clusterset.local", "c1: 2 of 2"):
            check(f"without scripts: \"{words}\"", words in shown, shown[:500])
        look(driver, "light", 320)
        driver.save_screenshot(str(SCREENS / "plain-light-320.png"))
        look(driver, "light", 1280)
        driver.save_screenshot(str(SCREENS / "plain-light-1280.png"))
    finally:
        driver.quit()


def token(driver, dir):
    (dir / "token").write_text(TOKEN + "\n")
    (dir / "token").chmod(0o600)
    subprocess.run([PINTLED, "--dev", "--export", str(dir / "demo")], check=True, stdout=subprocess.DEVNULL)
    (dir / "pintle.yaml").write_text("clusters: [{name: c1, directory: demo/c1}]\nadmin: {tokenFile: token}\n")
    daemon = Daemon(dir, "--config", str(dir / "pintle.yaml"))
    try:
        driver.get(f"http://{daemon.admin}/")
        wait_for("who has no token is asked for one", lambda: "Who are you?" in text(driver))
        check("and sees nothing", "c1" not in text(driver), text(driver))
        axe(driver, "the login")
        screenshot(driver, "login-light-1280")
        for word, want in (("wrong-wrong-wrong-wrong", "not the right one"), (TOKEN, "in sync")):
            field = driver.find_element(By.CSS_SELECTOR, "input[type=password]")
            field.send_keys(word, Keys.ENTER)
            check(f"a token gives \"{want}\"", wait_for(want, lambda want=want: want in text(driver)))
    finally:
        daemon.stop()


def live(driver):
    return "live" in driver.find_element(By.ID, "live").text


def many_tabs(driver, daemon):
    """A daemon has 16 streams; a tab that nobody looks at holds none."""
    driver.get(f"http://{daemon.admin}/")
    first = driver.current_window_handle
    for _ in range(18):
        driver.switch_to.new_window("tab")
        driver.get(f"http://{daemon.admin}/")
    check("the 19th tab is live: hidden ones close their streams", wait_for("live", lambda: live(driver)))
    handles = driver.window_handles
    for handle in handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)
    check("a tab that is looked at again goes on", wait_for("live again", lambda: live(driver)))


def weighed(driver, dir):
    """Weights of clusters are there where explain shows backends."""
    for n, weight in ((1, 25), (2, 75)):
        (dir / "weighed" / f"c{n}").mkdir(parents=True)
        (dir / "weighed" / f"c{n}" / "web.yaml").write_text(
            "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, annotations: "
            f"{{service.cilium.io/global: 'true', pintle.dev/weight: '{weight}'}}}}\nspec: {{clusterIP: 10.96.{n}.1, ports: [{{port: 80}}]}}\n")
    daemon = Daemon(dir, "--clusters-dir", str(dir / "weighed"), is_asked=False)
    try:
        driver.get("about:blank")
        driver.get(f"http://{daemon.admin}/#explain?name=web.shop.svc.clusterset.local")
        wait_for("explain", lambda: "shop/web" in text(driver))
        cells = driver.execute_script("return [...document.querySelectorAll('section table tbody tr')].map((r) => [...r.cells].map((c) => c.textContent).slice(1, 3))")
        check("explain has the weights of clusters", cells[:2] == [["c1", "25"], ["c2", "75"]], cells)
    finally:
        daemon.stop()


def slow(driver, dir):
    """Explain says what it waits for, and what became of it."""
    daemon = Daemon(dir, is_asked=False)
    said = "return document.querySelector('main section').textContent"

    def says(words):
        return wait_for(f"explain says \"{words}\"", lambda: words in driver.execute_script(said))

    def ask():
        driver.find_element(By.CSS_SELECTOR, "form .button").click()

    try:
        driver.get("about:blank")
        driver.get(f"http://{daemon.admin}/#explain?name={ROUTE}&from=c1")
        says("90 %")
        daemon.process.send_signal(signal.SIGSTOP)
        ask()
        says("Waiting for the daemon.")
        axe(driver, "explain that waits")
        says("takes too long to answer")
        ask()
        daemon.process.send_signal(signal.SIGCONT)
        says("90 %")
        driver.execute_script("window.fetched = window.fetch; window.fetch = async () => new Response('<html>')")
        ask()
        says("What came is no answer of the daemon")
        # the first answer comes last: its question is not the one that is shown
        driver.execute_script("""let isFirst = true;
            window.fetch = async (...a) => {
              if (!isFirst || !a[0].includes('explain?')) return window.fetched(...a);
              isFirst = false;
              await new Promise((ok) => { window.goOn = ok; });
              return window.fetched(...a).finally(() => setTimeout(() => { window.isOver = true; }, 500));
            }""")
        ask()
        field = driver.find_element(By.CSS_SELECTOR, "input[name=name]")
        field.clear()
        field.send_keys("www.example.net", Keys.ENTER)
        says("www.example.net")
        driver.execute_script("window.goOn()")
        wait_for("the first answer", lambda: driver.execute_script("return window.isOver"))
        check("an answer that was overtaken is not shown", "www.example.net" in driver.execute_script(said), text(driver)[:300])
    finally:
        daemon.process.send_signal(signal.SIGCONT)
        daemon.stop()
    driver.get_log("browser")  # timeouts are told there


def comes_back(driver, dir):
    daemon = Daemon(dir)
    driver.get(f"http://{daemon.admin}/")
    wait_for("the page is there", lambda: "in sync" in text(driver))
    daemon.stop()
    lost = driver.find_element(By.ID, "lost")
    said = wait_for("the page says that the daemon is gone", lambda: lost.text)
    check("and of when it is", bool(said) and "what is shown is of" in said and "in sync" in text(driver), said)
    axe(driver, "without its daemon")
    fits(driver, "without its daemon")
    screenshot(driver, "lost-light-1280")
    daemon = Daemon(dir, "--dev", dns=daemon.dns, admin=daemon.admin)
    try:
        check("it goes on by itself when the daemon is back", wait_for("live", lambda: live(driver) and not lost.is_displayed()))
        check("with what is now", wait_for("figures", lambda: "3 of 3" in text(driver)))
        driver.execute_script("location.hash = 'flow'")
        wait_for("the flow", lambda: driver.find_elements(By.CSS_SELECTOR, ".flow svg"))
        daemon.process.send_signal(signal.SIGSTOP)  # its sockets are there, and nobody behind them
        wait_for("the page says that the daemon is silent", lambda: "does not answer" in lost.text)
        daemon.process.send_signal(signal.SIGCONT)
        check("and goes on when it is not", wait_for("live", lambda: live(driver) and not lost.is_displayed()))
    finally:
        daemon.stop()
    wait_for("the page says that it is gone", lambda: "does not answer" in lost.text)
    time.sleep(3)  # more than one look of the flow
    check("what the flow shows stays", "does not answer" not in text(driver) and len(driver.find_elements(By.CSS_SELECTOR, ".flow svg")) > 0, text(driver)[:200])
    driver.get_log("browser")  # refused connections are told there


def many(driver, dir):
    """Thousands of names, the longest there may be, and one of very many endpoints; a plan of many records."""
    (dir / "big").mkdir()
    (dir / "out").mkdir()
    (dir / "big.yaml").write_text("clusters: [{name: big, directory: big}]\ndefaultCluster: big\nshutdown: {lameduck: 0s}\nclusterSet: demo\nrecords:\n"
                                  "  - {name: plan, provider: zonefile, zones: [example.org], policy: sync, dryRun: true, interval: 2, zonefile: {directory: out}}\n")

    def meta(name, **labels):
        return {"name": name, "namespace": "n" * 63, "labels": labels}

    def service(name, addresses):
        yield {"apiVersion": "v1", "kind": "Service", "metadata": meta(name), "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
        yield {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": meta(name)}
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta(name, **{"kubernetes.io/service-name": name}),
               "addressType": "IPv4", "ports": [{"port": 80}],
               "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses]}

    items = [*service("aaa-wide", [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(300)])]
    for i in range(MANY):
        items += service(f"s{i:04}-{'x' * 57}", [] if i % 2 else [f"10.8.{i // 250}.{i % 250 + 1}"])
    items += [{"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
               "metadata": {"name": f"lb-{i}", "namespace": "public", "annotations": {"external-dns.kubernetes.io/hostname": f"lb-{i}.example.org"}}} for i in range(60)]
    (dir / "big" / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    daemon = Daemon(dir, "--config", str(dir / "big.yaml"))
    try:
        driver.get(f"http://{daemon.admin}/#names")
        wait_for("the names", lambda: f"{MANY + 1:,} names, the first 500 are shown" in text(driver))
        driver.find_element(By.XPATH, "//button[starts-with(., 'Show 500')]").click()
        check("more of them can be shown", "the first 1,000 are shown" in text(driver), text(driver)[:200])
        driver.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("s1234")
        check("one of thousands is found", wait_for("one name", lambda: "1 name" in text(driver).split("\n")))
        cost(driver, daemon)
        driver.execute_script("location.hash = 'names'")
        wait_for("the names again", lambda: f"{MANY + 1:,} names" in text(driver))
        restless(driver, daemon, dir / "big" / "new.json", lambda i: [*service(f"new-{i}", ["10.7.0.1"])])
        for width in (1280, 320):
            look(driver, "dark", width)
            fits(driver, f"a name of the greatest length, {width} px")
            axe(driver, f"a name of the greatest length, {width} px")
            screenshot(driver, f"long-dark-{width}")
        look(driver, "light", 1280)
        driver.execute_script(f"location.hash = 'flow?name=aaa-wide.{'n' * 63}.svc.clusterset.local'")
        check("300 endpoints are drawn as a dozen", wait_for("the flow", lambda: "289 more addresses" in driver.execute_script("return document.querySelector('.flow')?.textContent ?? ''")))
        fits(driver, "300 endpoints")
        screenshot(driver, "wide-light-1280")
        driver.execute_script("location.hash = 'findings'")
        check("so many findings are counted, not all shown", wait_for("findings", lambda: "the first 200 are shown" in text(driver)))
        check("and few are built", len(driver.find_elements(By.CSS_SELECTOR, "ul.list > li.card")) == 200)
        screenshot(driver, "findings-many-light-1280")
        driver.execute_script("location.hash = 'records'")
        n_rows = "return document.querySelectorAll('[aria-label=\"Last plan\"] tbody tr').length"
        wait_for("a long plan is counted, and it is said that not all of it is shown", lambda: "60 create; the first 50 are shown" in text(driver))
        check("50 are", driver.execute_script(n_rows) == 50, driver.execute_script(n_rows))
        driver.find_element(By.XPATH, "//button[starts-with(., 'Show 500') and not(@hidden)]").click()
        check("and then all", driver.execute_script(n_rows) == 60, driver.execute_script(n_rows))
    finally:
        daemon.stop()


def cost(driver, daemon):
    """How soon a page shows something, and what it costs the daemon to be looked at: told, and bounded."""
    def used():
        ticks = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        written = re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{daemon.process.pid}/io").read_text())[1]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), int(written), time.monotonic()

    def rates():
        before = used()
        time.sleep(6)
        cpu, written, seconds = (after - was for after, was in zip(used(), before))
        return cpu / seconds, written / seconds / 1024

    driver.get("about:blank")
    time.sleep(1)  # the stream of the page before is closed
    alone = rates()
    for view in ("overview", "flow", "queries"):
        driver.get("about:blank")
        driver.get(f"http://{daemon.admin}/#{view}")
        ms = driver.execute_async_script("const done = arguments[0]; const look = () => (document.querySelector('.figures .big, .flow svg, tbody td')"
                                         "? done(performance.now()) : setTimeout(look, 5)); look()")
        time.sleep(2)  # what is fetched once is not what it costs to look on
        n_listed = driver.execute_script(N_LISTED)
        cpu, kib = (with_page - without for with_page, without in zip(rates(), alone))
        print(f"     {view}: something after {ms:.0f} ms; {100 * cpu:.2f} % of a core and {kib:.1f} KiB/s more while it is open")
        check(f"the {view} lists names once, if it needs them", n_listed == (1 if view == "flow" else 0), n_listed)
        check(f"who looks at the {view} of {MANY} names costs little", cpu < 0.1, f"{cpu:.4f} of a core, without a page {alone[0]:.4f}")


def restless(driver, daemon, file, items):
    """Names that come and go all the time are not listed all the time."""
    def generation():
        with urllib.request.urlopen(f"http://{daemon.admin}/api/v1/status", timeout=60) as reply:
            return json.load(reply)["generation"]

    driver.execute_script("performance.setResourceTimingBufferSize(10000)")
    begin, before = time.monotonic(), driver.execute_script(N_LISTED)
    for i in range(8):
        was = generation()
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items(i)}))
        wait_for("a change is published", lambda was=was: generation() > was)
        time.sleep(0.6)  # longer than the stream takes to tell the page
    n, took = driver.execute_script(N_LISTED) - before, time.monotonic() - begin
    check("names that change all the time are listed now and then", n <= 1 + took / 10, f"{n} times in {took:.1f} s")


def somebody(dir):
    """A driver of a Chromium that has a certificate of its own, and shows it where one is asked for.

    Its home and what it sees as /etc/chromium are of this test alone."""
    home, etc, program = dir / "home", dir / "etc", dir / "chromedriver"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for command in (["certutil", "-N", "--empty-password"], ["certutil", "-A", "-n", "servers", "-t", "C,,", "-i", "srv.crt"],
                    ["pk12util", "-i", "alice.p12", "-W", "alice"]):
        subprocess.run([command[0], "-d", f"sql:{database}", *command[1:]], cwd=dir, check=True, capture_output=True)
    shutil.copytree("/etc/chromium", etc)
    (etc / "policies" / "managed").mkdir(parents=True, exist_ok=True)
    (etc / "policies" / "managed" / "pintle.json").write_text(json.dumps(
        {"AutoSelectCertificateForUrls": [json.dumps({"pattern": "https://127.0.0.1", "filter": {}})]}))
    program.write_text(f"#!/bin/sh\nexec {' '.join(apart('--mount'))} sh -c 'mount --bind {etc} /etc/chromium && exec /usr/bin/chromedriver \"$@\"' sh \"$@\"\n")
    program.chmod(0o755)
    return Service(str(program), env={**os.environ, "HOME": str(home)})


def over_tls(dir):
    """Over TLS, where a certificate is wanted: a browser that has none, and one that has."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=dir, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=people")
    openssl("req", "-x509", *key, "-keyout", "srv.key", "-out", "srv.crt", "-subj", "/CN=pintled", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl("req", "-x509", *key, "-keyout", "alice.key", "-out", "alice.crt", "-subj", "/CN=alice", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth")
    openssl("pkcs12", "-export", "-in", "alice.crt", "-inkey", "alice.key", "-out", "alice.p12", "-passout", "pass:alice")
    (dir / "srv.key").chmod(0o600)
    (dir / "mtls.yaml").write_text("clusters: [{name: c1, directory: demo/c1}]\nshutdown: {lameduck: 0s}\n"
                                   "admin: {tls: {certificate: srv.crt, key: srv.key, clientCA: ca.crt}}\n")
    daemon = Daemon(dir, "--config", str(dir / "mtls.yaml"), scheme="https")
    driver = browser(more=("--ignore-certificate-errors",))
    try:
        driver.get(f"https://{daemon.admin}/")
        said = wait_for("over TLS the page is there, and says what is wanted", lambda: next((t for t in [text(driver)] if "clientCA" in t), None))
        check("there is no field for a token", bool(said) and not driver.find_elements(By.CSS_SELECTOR, "input[type=password]"), said)
        axe(driver, "without a certificate")
        screenshot(driver, "certificate-light-1280")
        driver.quit()
        driver = browser(service=somebody(dir))
        driver.get(f"https://{daemon.admin}/")
        check("with a certificate the page is live, without a token", wait_for("live", lambda: live(driver) and "in sync" in text(driver))
              and driver.execute_script("return sessionStorage.length") == 0)
        check("other views have what they ask for, too", wait_for("names", lambda: (
            driver.execute_script("location.hash = 'names'") or True) and "inventory-default-" in text(driver)))
    finally:
        driver.quit()
        daemon.stop()


def with_records(driver):
    """Zones that a Knot DNS has: what is wanted, owned, left alone, put right, and waiting for an approval."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
    import records  # pylint: disable=import-outside-toplevel
    world = records.World()
    world.start()
    keep = [records.service("app", "app.example.com", "192.0.2.1", ttl="1m")]
    world.put("c1", *keep, *(records.service(f"n{i}", f"n{i}.example.com", "192.0.2.9") for i in range(records.MANY)))
    world.settled(lambda: world.zone("knot")["owned"] == records.MANY + 1, "records are in Knot")
    records.repairs(world)
    world.put("c1", *keep)
    world.settled(lambda: world.zone("knot")["blocked"] == records.MANY, "deletions wait")
    driver.get(f"http://{world.admin}/#records")
    wait_for("the zones", lambda: "wait for an approval" in text(driver) and "203.0.113.66" in text(driver))
    shown = text(driver)
    for what, words in (("the zone, whose and by whom", ("example.com", "rfc2136", "pintle-e2e", "this one", "zonefile")),
                        ("what is to be approved, and how", ("pintlectl records approve", "14 of 10 allowed")),
                        ("what somebody changed", ("203.0.113.66", "put right")), ("the plan", ("n3.example.com A", "waits for an approval")),
                        ("each record's objects", ("c1: service shop/app", "192.0.2.1 (TTL 60)"))):
        check(f"the records say {what}", all(w in shown for w in words), [w for w in words if w not in shown])
    # the files' plan has as many, until they are looked at again
    told, listed = driver.execute_script("return [document.body.textContent.match(/(\\d+) delete/)?.[1], [...document.querySelectorAll('tbody tr')].filter((r) => r.cells[0].textContent === 'delete').length]")
    check("how many deletions are planned", int(told or 0) == listed and listed in (records.MANY, 2 * records.MANY), (told, listed))
    search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys("app.example")
    check("records can be searched", wait_for("two records", lambda: "2 records" in text(driver)))
    search.clear()
    for scheme in ("light", "dark"):
        for width in (1280, 320):
            look(driver, scheme, width)
            axe(driver, f"records of a Knot, {scheme}, {width} px")
            fits(driver, f"records of a Knot, {scheme}, {width} px")
            screenshot(driver, f"knot-{scheme}-{width}")
    look(driver, "light", 1280)
    driver.execute_script("location.hash = 'findings'")
    check("what waits is a finding", wait_for("a finding", lambda: f"{records.MANY} changes wait for an approval" in text(driver)))
    world.child.terminate()
    check("Knot's daemon ends well", world.child.wait(60) == 0 and records.servers.failed == 0)


def main():
    SCREENS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pintle-web-") as name:
        dir = pathlib.Path(name)
        daemon = Daemon(dir)
        driver = browser()
        try:
            all_views(driver, daemon)
            content(driver, daemon)
            keyboard(driver, daemon)
            said = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
            check("the console says nothing", said == [], said[:5])
            driver.get(f"http://{daemon.admin}/plain")
            for width in (1280, 320):
                look(driver, "dark", width)
                axe(driver, f"tables, {width} px")
                fits(driver, f"tables, {width} px")
            look(driver, "light", 1280)
            exact(driver, dir)
            many_tabs(driver, daemon)
            without_scripts(daemon)
            token(driver, dir)
            over_tls(dir)
            weighed(driver, dir)
            slow(driver, dir)
            comes_back(driver, dir)
            many(driver, dir)
            with_records(driver)
        finally:
            driver.quit()
            daemon.stop()
    print(f"screenshots: {SCREENS}")
    print(f"{len(failed)} failed" if failed else "all well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
