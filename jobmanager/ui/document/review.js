// Looks at a text while somebody writes it: asks the job manager once nothing was typed for a moment, one question at a time.

import { useEffect, useRef, useState } from "../html.js";
import { wishText } from "../rest.js";

const QUIET_MS = 300;

/** @typedef {{ text: string | null, review: any, busy: boolean, problem: any }} Reviewed */

/** What is known of a text, and of which text it is known. @param {string} text @returns {Reviewed} */
export function useReview(text) {
  const [known, setKnown] = useState({ text: null, review: null, problem: null });
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const look = async () => {
      try {
        const review = await wishText("/v1/validate", text);
        // An answer about what was typed before is no answer any more.
        if (latest.current === text) setKnown({ text, review, problem: null });
      } catch (problem) {
        if (latest.current === text) setKnown({ text, review: null, problem });
      }
    };
    const timer = setTimeout(look, QUIET_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return { ...known, busy: known.text !== text };
}

/** @param {any} review @returns {any[]} */
export const findingsOf = (review) => {
  const findings = review?.diagnostics?.findings || [];
  const start = (one) => one.place?.start ?? -1;
  return [...findings].sort((one, other) => start(one) - start(other));
};

/** @param {any[]} findings */
export const hasErrors = (findings) => findings.some((one) => one.severity === "error");
