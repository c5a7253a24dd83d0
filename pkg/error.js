// The one class of error that the package throws.
export class HubletError extends Error {
  constructor(code, message, refusal = {}) {
    super(message);
    this.name = "HubletError";
    this.code = code;
    this.status = refusal.status;
    this.errcode = refusal.errcode;
    this.retryAfterMs = refusal.retryAfterMs;
    this.rung = refusal.rung;
    this.rule = refusal.rule;
  }
}
