// SPDX-License-Identifier: Apache-2.0
// The admin API. A path of names: each is one segment, whatever it holds.

export const path = (...names) => "/v1/" + names.map(encodeURIComponent).join("/");

// An Error with `status` and `reason` when the answer is not 200.
async function answer(response) {
  const type = response.headers.get("Content-Type") || "";
  const document = type.startsWith("application/json") ? await response.json() : {};
  if (response.ok) return document;
  const error = new Error(document.error || response.statusText || "no reason given");
  error.status = response.status;
  error.reason = document.reason || "";
  throw error;
}

export const get = async (where, signal) => answer(await fetch(where, { cache: "no-store", signal }));

export async function put(where, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = "Bearer " + token;
  return answer(await fetch(where, { method: "PUT", headers, body: JSON.stringify(body), cache: "no-store" }));
}

// The names in the path of one instance: its node too when the id alone says not which.
export function instancePath(service, instance, all) {
  const alone = all.filter((i) => i.id === instance.id).length === 1;
  return alone ? path("breakers", service, instance.id) : path("breakers", service, instance.node, instance.id);
}
