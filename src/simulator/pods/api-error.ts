/** An answer that is an error, in vLLM's shape. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
  }

  body(): string {
    const { message, type, param, status } = this;
    return JSON.stringify({ error: { message, type, param, code: status } });
  }
}

/** A body that does not have the fields or types it must have. */
export const invalidField = (location: string, type: string, text: string): ApiError =>
  new ApiError(
    400,
    "Bad Request",
    `1 validation error:\n  {'type': '${type}', 'loc': '${location}', 'msg': '${text}'}`,
    location,
  );

/** A value that is well-formed and can't be served. */
export const badRequest = (message: string, param: string | null): ApiError =>
  new ApiError(400, "BadRequestError", message, param);
