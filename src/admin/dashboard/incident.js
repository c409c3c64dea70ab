// SPDX-License-Identifier: Apache-2.0
// A service's state as plain text for the incident channel. Times are UTC: readers are anywhere.
import { instanceNote, instanceState } from "./instances.js";
import * as words from "./words.js";

const SHOWN_INSTANCES = 10, SHOWN_TRANSITIONS = 5;
const oneLine = (text) => text.replace(/[\u0000-\u001f\u007f]+/g, " ");

function nameOf(i) {
  const address = words.endpoint(i);
  return i.id === address ? address : `${i.id} (${address})`;
}

// of: {row, since, outage, now, gateway, instances, transitions, link}
export function incidentText(of) {
  const r = of.row;
  const lines = [];
  const add = (name, text) => { if (text) lines.push(name + ": " + text); };
  lines.push(`${r.n} is ${words.stateWord(r.s).toUpperCase()} since ${words.utc(of.since)} ` +
    `(${words.duration(of.now - of.since)})${of.gateway ? " at gateway " + of.gateway : ""}`);
  add("Why", words.whatHappened(r, of.outage));
  add("Meanwhile", words.clientsGet(r));
  add("Ends", r.until ? `${words.utc(r.until)} (in ${words.left(r.until - of.now)})` : words.whatEnds(r, of.now));
  add("Traffic", `${words.number(r.r)} requests/s, ${words.number(r.e)} failures/s (${words.percent(r.e, r.r)}), ` +
    `p99 ${words.milliseconds(r.p99)}, ${r.rej} rejected since the start`);
  add("Instances", `${r.i[0]} of ${r.i[1]} available`);
  for (const i of of.instances.filter((x) => instanceState(x).rank > 0).slice(0, SHOWN_INSTANCES))
    lines.push(`  ${nameOf(i)}: ${instanceState(i).text}; ${instanceNote(i, of.now)}`);
  if (of.transitions.length) lines.push("History:");
  for (const t of of.transitions.slice(0, SHOWN_TRANSITIONS)) {
    const word = t.instance ? words.instanceStateWord : words.stateWord;
    lines.push(`  ${words.utc(t.at)} ${t.instance ? t.instance + " " : ""}${word(t.from)} -> ${word(t.to)}: ` +
      words.transitionWords(t));
  }
  add("As of", words.utc(of.now) + ", " + of.link);
  return lines.map(oneLine).join("\n") + "\n";
}
