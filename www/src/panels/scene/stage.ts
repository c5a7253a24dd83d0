import {
  AmbientLight, BoxGeometry, CapsuleGeometry, Color, ConeGeometry, DirectionalLight, GridHelper, Group, Mesh, MeshLambertMaterial, PerspectiveCamera, Scene, SphereGeometry,
  WebGLRenderer, type BufferGeometry, type Object3D,
} from "three";

import { serverOf } from "../../names";
import type { Avatar } from "./avatars";
import { REACH, type Shape, type Thing } from "./objects";

/** In pixels, and as a part of the width where there is little of it. */
const HEIGHT = 360;
const PART = 0.75;
/** What part of the way to its place an avatar goes in a frame. */
const GLIDE = 0.25;

const SHAPES: Record<Shape, () => BufferGeometry> = {
  cube: () => new BoxGeometry(60, 60, 60),
  ball: () => new SphereGeometry(34, 24, 16),
  cone: () => new ConeGeometry(36, 70, 24),
};

interface Figure {
  readonly object: Object3D;
  readonly avatar: boolean;
  x: number;
  z: number;
  turn: number;
}

/** Draws floor, objects and avatars; a frame is drawn only when something has changed or moves. */
export class Stage {
  readonly element = document.createElement("div");
  private readonly renderer = new WebGLRenderer({ antialias: true, alpha: true });
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(42, 1, 10, 5000);
  private readonly figures = new Map<string, Figure>();
  private asked = false;

  constructor(
    private readonly colourOf: (server: string) => number,
    private readonly signal: AbortSignal,
  ) {
    this.element.className = "stage";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", "The shared scene: arrow keys walk");
    this.element.append(this.renderer.domElement);
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(300, 800, 500);
    const floor = new GridHelper(2 * REACH, 12, style("--ink-2"), style("--rule"));
    this.scene.add(new AmbientLight(0xffffff, 1.1), sun, floor);
    this.camera.position.set(0, 420, 640);
    this.camera.lookAt(0, 0, 30);
    const resizing = new ResizeObserver(() => this.resize());
    resizing.observe(this.element);
    signal.addEventListener("abort", () => {
      resizing.disconnect();
      this.renderer.dispose();
    });
  }

  show(avatars: readonly Avatar[], things: readonly Thing[]): void {
    const here = new Set<string>();
    for (const { user, x, z, turn } of avatars) this.put(here, `avatar ${user}`, { x, z, turn: turn / 1000 }, () => person(this.colour(serverOf(user))), true);
    for (const { key, shape, x, z, server } of things) this.put(here, `thing ${key} ${shape}`, { x, z, turn: 0 }, () => solid(SHAPES[shape](), this.colour(server)), false);
    for (const [key, { object }] of this.figures) {
      if (here.has(key)) continue;
      this.scene.remove(object);
      this.figures.delete(key);
    }
    this.ask();
  }

  private put(here: Set<string>, key: string, spot: { x: number; z: number; turn: number }, make: () => Object3D, avatar: boolean): void {
    here.add(key);
    const known = this.figures.get(key);
    if (known) {
      Object.assign(known, spot);
      return;
    }
    const object = make();
    object.position.set(spot.x, object.position.y, spot.z);
    object.rotation.y = spot.turn;
    this.scene.add(object);
    this.figures.set(key, { object, avatar, ...spot });
  }

  private ask(): void {
    if (this.asked || this.signal.aborted) return;
    this.asked = true;
    requestAnimationFrame(() => this.frame());
  }

  private frame(): void {
    this.asked = false;
    if (this.signal.aborted) return;
    let moving = false;
    for (const { object, x, z, turn } of this.figures.values()) {
      const [dx, dz, dt] = [x - object.position.x, z - object.position.z, turn - object.rotation.y];
      const near = Math.abs(dx) + Math.abs(dz) + Math.abs(dt) * 100 < 0.5;
      const part = near ? 1 : GLIDE;
      object.position.x += dx * part;
      object.position.z += dz * part;
      object.rotation.y += dt * part;
      moving ||= !near;
    }
    this.renderer.render(this.scene, this.camera);
    if (moving) this.ask();
  }

  private resize(): void {
    const width = this.element.clientWidth || 320;
    const height = Math.min(HEIGHT, width * PART);
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.ask();
  }

  private colour(server: string): Color {
    return style(`--server-${this.colourOf(server)}`);
  }
}

function solid(geometry: BufferGeometry, color: Color): Mesh {
  const mesh = new Mesh(geometry, new MeshLambertMaterial({ color }));
  geometry.computeBoundingBox();
  mesh.position.y = -(geometry.boundingBox?.min.y ?? 0);
  return mesh;
}

/** A body and a nose, so that one sees where it looks. */
function person(color: Color): Object3D {
  const group = new Group();
  const body = solid(new CapsuleGeometry(26, 50, 8, 20), color);
  const nose = new Mesh(new ConeGeometry(11, 30, 16), new MeshLambertMaterial({ color: style("--ink") }));
  nose.rotation.x = -Math.PI / 2;
  nose.position.set(0, 78, -34);
  group.add(body, nose);
  return group;
}

/** A colour of the styles, as the browser resolves it. */
function style(name: string): Color {
  const probe = document.createElement("canvas").getContext("2d");
  const element = document.createElement("i");
  element.style.color = `var(${name})`;
  document.body.append(element);
  if (probe) probe.fillStyle = getComputedStyle(element).color;
  element.remove();
  const colour = probe?.fillStyle;
  return new Color(typeof colour === "string" ? colour : "grey");
}
