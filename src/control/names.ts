/** What control plane and sidecars must agree on: who the control plane is, and its methods. */

export const CONTROL_NAME = "control";
export const CONTROL_NAMESPACE = "outrigger";

/** linkerd2-proxy-api's identity.proto, and ours. */
export const CERTIFY = "/io.linkerd.proxy.identity.Identity/Certify";
export const WATCH_TRUST = "/outrigger.control.Trust/Watch";
