// What every view is written with: templates that become elements, never text that becomes markup.
//
// Everything that a template inserts is a text node or an attribute; no module sets innerHTML, and the page's policy
// (Trusted Types) would refuse it.

import { h, render, Fragment } from "./vendor/preact.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import { computed, effect, signal, useSignal } from "./vendor/signals.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { render, Fragment, useEffect, useLayoutEffect, useMemo, useRef, useState, computed, effect, signal, useSignal };
