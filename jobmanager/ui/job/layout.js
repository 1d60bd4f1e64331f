// Where the vertices and edges of a graph lie: dagre gives the coordinates, everything else is ours.

import { graphlib, layout as dagre } from "../vendor/dagre.js";

export const WIDTH = 228;
export const HEIGHT = 84;

/** Of more vertices the plain order by layers is good enough: the time of dagre grows faster than they do. */
const MANY = 60;

/** Edges between the same two vertices are drawn as one. @param {any[]} edges */
function bundled(edges) {
  const bundles = new Map();
  for (const edge of edges) {
    const key = `${edge.from} ${edge.to}`;
    const known = bundles.get(key);
    if (known) known.partitions.add(edge.partition);
    else bundles.set(key, { key, from: edge.from, to: edge.to, rowsRate: edge.rowsRate, partitions: new Set([edge.partition]) });
  }
  return [...bundles.values()];
}

/**
 * @param {any[]} vertices
 * @param {any[]} edges
 */
export function layout(vertices, edges) {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 26, ranksep: 92, marginx: 2, marginy: 10 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const vertex of vertices) graph.setNode(vertex.id, { width: WIDTH, height: HEIGHT });
  const bundles = bundled(edges);
  if (vertices.length > MANY) return layered(vertices, bundles);
  for (const bundle of bundles) graph.setEdge(bundle.from, bundle.to, {});
  dagre(graph);
  const { width, height } = graph.graph();
  const places = new Map(vertices.map(({ id }) => [id, graph.node(id)]));
  const lines = bundles.map((bundle) => ({ ...bundle, points: graph.edge(bundle.from, bundle.to).points }));
  return { width: Math.ceil(width || 1), height: Math.ceil(height || 1), places, lines };
}

/** Each vertex behind all that it gets rows from, and in its layer beside where those stand. @param {any[]} vertices @param {any[]} bundles */
function layered(vertices, bundles) {
  const before = new Map(vertices.map(({ id }) => [id, []]));
  const behind = new Map(vertices.map(({ id }) => [id, []]));
  const open = new Map(vertices.map(({ id }) => [id, 0]));
  for (const { from, to } of bundles) {
    behind.get(from).push(to);
    before.get(to).push(from);
    open.set(to, open.get(to) + 1);
  }
  const depth = new Map();
  const ready = vertices.map(({ id }) => id).filter((id) => open.get(id) === 0);
  for (let next = 0; next < ready.length; next += 1) {
    const id = ready[next];
    depth.set(id, Math.max(-1, ...before.get(id).map((other) => depth.get(other))) + 1);
    for (const other of behind.get(id)) {
      open.set(other, open.get(other) - 1);
      if (open.get(other) === 0) ready.push(other);
    }
  }
  /** @type {string[][]} */
  const layers = [];
  for (const { id } of vertices) (layers[depth.get(id) || 0] ||= []).push(id);
  const row = new Map();
  for (const layer of layers) {
    const mean = (id) => before.get(id).reduce((sum, other) => sum + (row.get(other) || 0), 0) / Math.max(1, before.get(id).length);
    const wanted = new Map(layer.map((id) => [id, mean(id)]));
    layer.sort((one, other) => wanted.get(one) - wanted.get(other));
    layer.forEach((id, index) => row.set(id, index - (layer.length - 1) / 2));
  }
  const most = Math.max(1, ...layers.map((layer) => layer.length));
  const place = (id) => ({
    x: 2 + WIDTH / 2 + (depth.get(id) || 0) * (WIDTH + 92),
    y: 10 + HEIGHT / 2 + (row.get(id) + (most - 1) / 2) * (HEIGHT + 26),
  });
  const places = new Map(vertices.map(({ id }) => [id, place(id)]));
  return {
    width: layers.length * (WIDTH + 92) - 88,
    height: 20 + most * (HEIGHT + 26) - 26,
    places,
    lines: bundles.map((bundle) => ({ ...bundle, points: [] })),
  };
}

/** A smooth line from the right side of one box to the left side of another. @param {any} line @param {Map<string, any>} places */
export function route(line, places) {
  const from = places.get(line.from);
  const to = places.get(line.to);
  const begin = [from.x + WIDTH / 2, from.y];
  const end = [to.x - WIDTH / 2 - 7, to.y];
  // What dagre leads around other boxes keeps its way; the ends leave and arrive level.
  const inner = line.points.slice(1, -1).map((point) => [point.x, point.y]);
  const all = inner.length > 1 ? [begin, ...inner.filter(([x]) => x > begin[0] + 8 && x < end[0] - 8), end] : [begin, end];
  let path = `M${begin[0]},${begin[1]}`;
  for (let index = 1; index < all.length; index += 1) {
    const [x0, y0] = all[index - 1];
    const [x1, y1] = all[index];
    const bend = (x1 - x0) / 2;
    path += ` C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`;
  }
  const middle = all.length % 2 ? all[(all.length - 1) / 2] : between(all[all.length / 2 - 1], all[all.length / 2]);
  return { path, middle };
}

const between = ([x0, y0], [x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

/** The steps that a person wrote; what was made for them (`events.decode`) is a part of them. @param {any} vertex */
export function title(vertex) {
  const names = vertex.steps.map((step) => step.name);
  const written = names.filter((name) => !names.some((other) => name !== other && name.startsWith(`${other}.`)));
  return written.join(" → ") || vertex.name;
}

/** What its steps do, in their order. @param {any} vertex */
export const kinds = (vertex) =>
  vertex.steps
    .map((step) => step.kind.replace(/_/g, " "))
    .filter((kind, index, all) => kind !== all[index - 1])
    .join(" · ");
