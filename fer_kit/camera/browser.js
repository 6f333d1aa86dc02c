/* The camera in the browser: shows its picture, sends frames to Python, and draws what Python answers.

JupyterLab runs `render`, as an anywidget; Colab, where Python asks for each frame, runs `pull`. Both are
thin coats around `connect`. A frame goes out as {run, id, jpeg} with the JPEG in base64, and its answer comes
back as {run, id, faces, error}. `run` is new at every start, so that answers after Stop find no taker. */

const IN_FLIGHT = 2; // one frame is worked on while the next one travels
const LIMIT = 10; // seconds a frame may wait for its answer before the stream goes on without it
const FIRST_LIMIT = 60; // the first frame waits for networks to be loaded and compiled
const STILL = 5; // seconds without a new picture until the person is told
const LONGEST = 640; // pixels of the longer side of a frame that is sent
const QUALITY = 0.8; // of its JPEG, 0-1
const OTHER = "#777777"; // the colour of an emotion that has none

/* What to tell a person about an error of getUserMedia. */
export function explain(error) {
  const told = {
    Insecure:
      `The browser gives no camera to this page, because it came over plain http from ${location.hostname}. ` +
      "Use https, or open it as localhost: ssh -L 8888:localhost:8888 SERVER, then http://localhost:8888",
    NotAllowedError:
      "The browser was not allowed to use the camera. Allow it with the camera sign beside the address, " +
      "and in the computer's privacy settings; then press Start.",
    NotFoundError: "No camera was found. Plug one in and press Start; the demo video needs none.",
    NotReadableError: "The camera does not answer; another program may be using it. Close that, and press Start.",
  };
  return told[error.name] ?? `The camera could not be started: ${error.name}: ${error.message}`;
}

async function openCamera() {
  if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "Insecure" });
  const wish = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
  return navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
}

/* Draws a picture and, for each face, its box, its caption and the bars of its probabilities; in a crowd, where
they would hide another face, the bars are left out. A face may bring its own emotions, as pairs of name and colour. */
export function paint(canvas, picture, faces, colours) {
  const pen = canvas.getContext("2d");
  canvas.width = picture.width;
  canvas.height = picture.height;
  pen.drawImage(picture, 0, 0);
  pen.textBaseline = "top";
  const taken = faces.map((face) => face.box);
  for (const { id, box, emotion, probabilities, colours: own } of faces) {
    const pairs = own ?? Object.entries(colours);
    const colour = new Map(pairs).get(emotion) ?? OTHER;
    const [x, y, width, height] = box;
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 3;
    pen.strokeRect(x, y, width, height);
    pen.font = "bold 14px sans-serif";
    const caption = `${id} ${emotion} ${Math.round(100 * Math.max(...probabilities))} %`;
    const above = y >= 20 ? y - 20 : y + height + 2;
    pen.fillRect(x - 1.5, above, pen.measureText(caption).width + 8, 18);
    pen.fillStyle = light(colour) ? "black" : "white";
    pen.fillText(caption, x + 3, above + 2);
    const size = [104, 13 * pairs.length + 3];
    const places = [x + width + 6, x - 6 - size[0]].map((left) => [left, y, ...size]);
    const inside = ([left]) => left >= 0 && left + size[0] <= canvas.width;
    const free = places.find((place) => inside(place) && !taken.some((other) => meet(place, other)));
    if (free && probabilities.length === pairs.length) taken.push(free) && bars(pen, free, pairs, probabilities);
  }
}

function light(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 150;
}

function meet([x, y, width, height], [u, v, across, down]) {
  return x < u + across && u < x + width && y < v + down && v < y + height;
}

function bars(pen, [left, top, width, height], pairs, probabilities) {
  pen.font = "11px sans-serif";
  pen.fillStyle = "rgba(0, 0, 0, 0.5)";
  pen.fillRect(left, top, width, height);
  pairs.forEach(([emotion, colour], row) => {
    pen.fillStyle = "white";
    pen.fillText(emotion, left + 3, top + 2 + 13 * row);
    pen.fillStyle = colour;
    pen.fillRect(left + 52, top + 4 + 13 * row, 49 * probabilities[row], 8);
  });
}

function page(el) {
  const make = (tag, style) => {
    const made = document.createElement(tag);
    made.style.cssText = style;
    return el.appendChild(made);
  };
  const button = make("button", "font: inherit; padding: 4px 16px; margin-right: 12px");
  const status = make("span", "font: inherit");
  const canvas = make("canvas", "display: none; margin: 8px 0; max-width: 100%");
  const promise = make("div", "font-size: 85%; opacity: 0.7");
  promise.textContent = "Frames go to the machine the kernel runs on, and no further. Nothing is stored.";
  status.setAttribute("role", "status");
  canvas.setAttribute("role", "img");
  return { button, status, canvas };
}

/* Puts button, status line and picture into `el`. Calls send(frame) for each frame, changed() at start and
stop. Returns {start, stop, answer, running, ended}; `ended` is why the last run stopped: {why, failed}. */
export function connect(el, colours, { send, changed = () => {} }) {
  const { button, status, canvas } = page(el);
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  const pictures = Array.from({ length: IN_FLIGHT }, () => document.createElement("canvas"));
  const waiting = new Map(); // frames under way, by id: {picture, since}
  let run = null; // the name of this run; null while stopped
  let stream, timer, id, seen, moved, ended;
  let answered = []; // when the last answers came, in ms

  const say = (text) => (status.textContent = text);
  const release = (opened) => opened?.getTracks().forEach((track) => track.stop());

  async function start() {
    stop("");
    const mine = (run = String(Math.random()));
    button.textContent = "Stop";
    say("Asking for the camera …");
    let opened;
    try {
      opened = await openCamera();
      if (run === mine) {
        opened.getVideoTracks()[0].onended = () =>
          run === mine && fail("The camera went away: unplugged, or taken by another program. Press Start to go on.");
        video.srcObject = opened;
        await video.play();
      }
    } catch (error) {
      release(opened);
      if (run === mine) fail(explain(error));
      return;
    }
    if (run !== mine) return release(opened); // Stop was pressed meanwhile
    stream = opened;
    id = 0;
    moved = performance.now();
    say("Waiting for the first answer: networks are being loaded …");
    timer = setInterval(tick, 15);
    changed();
  }

  const stop = (text = "Stopped. The camera is released.") => end({ why: text, failed: false });
  const fail = (text) => end({ why: text, failed: true });

  function end(reason) {
    clearInterval(timer);
    release(stream);
    video.srcObject = stream = run = null;
    seen = -1;
    answered = [];
    waiting.clear();
    button.textContent = "Start";
    canvas.style.display = "none";
    ended = reason;
    say(ended.why);
    changed();
  }

  function tick() {
    const limit = answered.length ? LIMIT : FIRST_LIMIT;
    for (const [key, frame] of waiting) {
      if (performance.now() - frame.since < 1000 * limit) continue;
      waiting.delete(key);
      say(`No answer for ${limit} s: the kernel is busy with a cell or has stopped, or your function takes so long.`);
    }
    if (!el.isConnected) return stop(); // the cell was cleared
    if (video.currentTime !== seen) moved = performance.now();
    if (performance.now() - moved > 1000 * STILL) say("The camera is on, but sends no pictures. Is it covered or asleep?");
    if (waiting.size >= IN_FLIGHT || !video.videoWidth || video.currentTime === seen) return;
    seen = video.currentTime;
    const busy = [...waiting.values()].map((frame) => frame.picture);
    const picture = pictures.find((one) => !busy.includes(one));
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    picture.width = Math.round(video.videoWidth * scale);
    picture.height = Math.round(video.videoHeight * scale);
    picture.getContext("2d").drawImage(video, 0, 0, picture.width, picture.height);
    canvas.style.display = "block";
    if (!answered.length) paint(canvas, picture, [], colours);
    waiting.set(++id, { picture, since: performance.now() });
    try {
      send({ run, id, jpeg: picture.toDataURL("image/jpeg", QUALITY).split(",")[1] });
    } catch (error) {
      fail(`The kernel cannot be reached (${error.message}). Run the cell again.`);
    }
  }

  function answer(message) {
    if (message.run !== run || !waiting.has(message.id)) return; // of before Stop, or too late
    const { picture } = waiting.get(message.id);
    waiting.delete(message.id); // first: an answer that cannot be drawn must not hold up the stream
    answered = [...answered, performance.now()].slice(-20);
    try {
      paint(canvas, picture, message.faces, colours);
    } catch (error) {
      return say(`This answer cannot be drawn: ${error.message}`);
    }
    const rate = (1000 * (answered.length - 1)) / (answered.at(-1) - answered[0] || 1);
    const faces = message.faces.map((face) => `face ${face.id} ${face.emotion}`).join(", ") || "no face";
    canvas.setAttribute("aria-label", faces);
    say(message.error || `${rate.toFixed(0)} frames/s, ${faces}`);
  }

  button.onclick = () => (run ? stop() : start());
  stop("Nothing is filmed before you press Start.");
  return { start, stop, answer, running: () => run !== null, ended: () => ended };
}

/* For Python that asks: next(answer) takes the answer to the last frame and promises the next frame, or
{why, failed} when there are no more. */
export function pull(el, colours) {
  const frames = [];
  let wake = () => {};
  const camera = connect(el, colours, { send: (frame) => frames.push(frame) && wake(), changed: () => wake() });
  const next = async (answer) => {
    if (answer) camera.answer(answer);
    while (camera.running() && !frames.length) await new Promise((resolve) => (wake = resolve));
    return camera.running() ? frames.shift() : camera.ended();
  };
  const close = () => {
    if (camera.running()) camera.stop();
    el.querySelector("button").remove(); // nobody would take the frames of another start
  };
  return { start: camera.start, next, close };
}

function render({ model, el }) {
  const camera = connect(el, model.get("colours"), { send: (frame) => model.send(frame) });
  model.on("msg:custom", camera.answer);
  return () => {
    model.off("msg:custom", camera.answer);
    camera.stop();
  };
}

export default { render };
