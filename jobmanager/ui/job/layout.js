// Where the vertices and edges of a graph lie: dagre gives the coordinates, everything else is ours.

import { graphlib, layout as dagre } from "../vendor/dagre.js";

export const WIDTH = 228;
export const HEIGHT = 84;

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
  for (const bundle of bundles) graph.setEdge(bundle.from, bundle.to, {});
  dagre(graph);
  const { width, height } = graph.graph();
  const places = new Map(vertices.map(({ id }) => [id, graph.node(id)]));
  const lines = bundles.map((bundle) => ({ ...bundle, points: graph.edge(bundle.from, bundle.to).points }));
  return { width: Math.ceil(width || 1), height: Math.ceil(height || 1), places, lines };
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
