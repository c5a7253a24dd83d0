// The one class of error that the module throws.
export class HubletError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "HubletError";
    this.code = code;
  }
}
