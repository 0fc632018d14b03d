// The page: pictures in, boxes and attention maps out.
import * as ort from "./ort/ort.wasm.min.mjs";
import { decode, fit, planes, suppress } from "./detect.js";
import { WORDS } from "./words.js";

const $ = (id) => document.getElementById(id);
const canvas = $("picture");
const pen = canvas.getContext("2d");
const COLOURS = ["#e11d48", "#2563eb", "#16a34a", "#d97706", "#7c3aed", "#0891b2"];

const state = { language: navigator.language.startsWith("zh") ? "zh" : "en", source: null, maps: {}, boxes: [], point: null, shown: "" };
globalThis.demo = state; // for whoever looks with the browser's console
let session, about, stream;

const words = () => WORDS[state.language];

function translate() {
  document.documentElement.lang = state.language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words()[node.dataset.text];
  if (stream) $("camera").textContent = words().stop;
  $("language").textContent = words().other;
  if (about) choices();
  draw();
}

/** One radio button for each block, and one for none. */
function choices() {
  const made = [["", words().none], ...about.blocks.map((block) => [block.output, block.name])].map(([value, text]) => {
    const label = document.createElement("label");
    const button = Object.assign(document.createElement("input"), { type: "radio", name: "block", value });
    button.checked = value === state.shown;
    button.addEventListener("change", () => { state.shown = value; draw(); });
    label.append(button, ` ${text}`);
    return label;
  });
  $("blocks").replaceChildren($("blocks").querySelector("legend"), ...made);
}

/** Run the model on a picture, a canvas or a frame of the camera. */
async function detect(source, width, height) {
  const side = about.side;
  const square = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  const place = fit(width, height, side);
  square.fillStyle = "rgb(114,114,114)";
  square.fillRect(0, 0, side, side);
  square.drawImage(source, place.left, place.top, place.w, place.h);
  const input = new ort.Tensor("float32", planes(square.getImageData(0, 0, side, side).data, side), [1, 3, side, side]);
  const start = performance.now();
  const outputs = await session.run({ images: input });
  state.time = performance.now() - start;
  const [, rows, anchors] = outputs.output0.dims;
  const found = decode(outputs.output0.data, anchors, rows - 4, Number($("confidence").value));
  const back = ([x0, y0, x1, y1]) => [(x0 - place.left) / place.scale, (y0 - place.top) / place.scale,
    (x1 - place.left) / place.scale, (y1 - place.top) / place.scale];
  state.boxes = suppress(found).map((one) => ({ ...one, box: back(one.box) }));
  state.maps = Object.fromEntries(about.blocks.map(({ output }) => [output, outputs[output]]));
  state.place = place;
  state.size = [width, height];
}

function draw() {
  if (!state.size) return;
  const [width, height] = state.size;
  const zoom = 512 / Math.max(width, height);
  [canvas.width, canvas.height] = [Math.round(width * zoom), Math.round(height * zoom)];
  pen.imageSmoothingEnabled = false;
  pen.drawImage(state.source, 0, 0, canvas.width, canvas.height);
  const map = state.maps[state.shown];
  if (map) overlay(map, zoom);
  pen.lineWidth = 2;
  pen.font = "14px system-ui, sans-serif";
  for (const { kind, score, box } of state.boxes) {
    const [x0, y0, x1, y1] = box.map((v) => v * zoom);
    const text = `${about.names[kind]} ${score.toFixed(2)}`;
    pen.strokeStyle = pen.fillStyle = COLOURS[kind % COLOURS.length];
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
    pen.fillRect(x0 - 1, Math.max(y0 - 18, 0), pen.measureText(text).width + 8, 18);
    pen.fillStyle = "#fff";
    pen.fillText(text, x0 + 3, Math.max(y0 - 4, 14));
  }
  $("state").textContent = words().found(state.boxes.length, state.time.toFixed(1));
  if (!map) $("point").textContent = "";
}

/** The cells of a map where they lie in the picture: red above an even share, blue below; the clicked one is framed. */
function overlay(map, zoom) {
  const [rows, columns] = map.dims.slice(-2);
  const { place } = state;
  const cell = about.side / columns;
  const corner = (column, row) => [((column * cell - place.left) / place.scale) * zoom, ((row * cell - place.top) / place.scale) * zoom];
  const most = Math.max(...map.data.map((v) => Math.abs(Math.log(v)))) || 1;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = map.data[row * columns + column];
      const strength = Math.abs(Math.log(value)) / most;
      pen.fillStyle = value >= 1 ? `rgba(220,38,38,${0.6 * strength})` : `rgba(37,99,235,${0.6 * strength})`;
      const [x0, y0] = corner(column, row);
      const [x1, y1] = corner(column + 1, row + 1);
      pen.fillRect(x0, y0, x1 - x0, y1 - y0);
    }
  }
  if (!state.point) return;
  const [column, row] = [0, 1].map((k) => Math.floor((state.point[k] * place.scale + [place.left, place.top][k]) / cell));
  const [x0, y0] = corner(column, row);
  const [x1, y1] = corner(column + 1, row + 1);
  pen.strokeStyle = "#fff";
  pen.lineWidth = 3;
  pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  const name = about.blocks.find(({ output }) => output === state.shown).name;
  $("point").textContent = words().point(name, map.data[row * columns + column].toFixed(2));
}

async function show(picture) {
  state.source = picture;
  state.point = null;
  await detect(picture, picture.width, picture.height);
  draw();
}

async function open(file) {
  try {
    stopCamera();
    await show(await createImageBitmap(file));
  } catch (error) {
    $("state").textContent = error instanceof DOMException ? words().unreadable : words().failed + error.message;
  }
}

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  $("camera").textContent = words().camera;
}

async function camera() {
  if (stream) return stopCamera();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    $("state").textContent = words().refused + error.message;
    return;
  }
  $("camera").textContent = words().stop;
  const video = $("video");
  video.srcObject = stream;
  await video.play();
  while (stream) {
    state.source = video;
    await detect(video, video.videoWidth, video.videoHeight);
    draw();
    await new Promise(requestAnimationFrame);
  }
}

canvas.addEventListener("click", (event) => {
  if (!state.size) return;
  const frame = canvas.getBoundingClientRect();
  const scale = state.size[0] / frame.width;
  state.point = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
  if (!state.shown) state.shown = about.blocks[0].output;
  choices();
  draw();
});
$("language").addEventListener("click", () => { state.language = state.language === "en" ? "zh" : "en"; translate(); });
$("file").addEventListener("change", ({ target }) => target.files[0] && open(target.files[0]));
$("camera").addEventListener("click", camera);
$("confidence").addEventListener("input", () => state.source && !stream && show(state.source));
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
}

translate();
$("state").textContent = words().loading;
try {
  about = await (await fetch("model.json")).json();
  ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send
  session = await ort.InferenceSession.create("model.onnx");
  for (const name of about.samples) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(Object.assign(new Image(), { src: `samples/${name}`, alt: name }));
    button.addEventListener("click", async () => open(await (await fetch(`samples/${name}`)).blob()));
    $("samples").append(button);
  }
  choices();
  await open(await (await fetch(`samples/${about.samples[0]}`)).blob());
} catch (error) {
  $("state").textContent = words().failed + error.message;
}
