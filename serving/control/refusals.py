"""Every refusal of the control plane as one JSON object: ours, FastAPI's, and what nobody foresaw."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from understudy.errors import BadRequest, UnderstudyError


def answer(error: UnderstudyError) -> JSONResponse:
    """The error object; what UTF-8 cannot hold of its message is escaped."""
    headers = {"retry-after": "5"} if error.status == 503 else {}
    message = error.message.encode("utf-8", "backslashreplace").decode()
    body = {"message": message, "type": error.kind, "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status, headers=headers)


def install(app: FastAPI, openapi: str) -> None:
    """Give `app` a handler for every sort of error; `openapi` is where its document lies."""

    @app.exception_handler(UnderstudyError)
    def ours(_: Request, error: UnderstudyError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(HTTPException)
    def address(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code in (404, 405):
            what = f"{request.method} {request.url.path}: {error.detail}"
            refusal = BadRequest(f"{what}; {openapi} lists what there is", code="no_such_address")
        else:
            refusal = BadRequest(str(error.detail), code="invalid_body")
        refusal.status = error.status_code
        return answer(refusal)

    @app.exception_handler(RequestValidationError)
    def body(_: Request, error: RequestValidationError) -> JSONResponse:
        lines = [f"`{'.'.join(str(p) for p in item['loc'])}`: {item['msg']}" for item in error.errors()]
        refusal = BadRequest("; ".join(lines), code="invalid_body")
        refusal.status = 422
        return answer(refusal)

    @app.exception_handler(Exception)  # Starlette raises it again afterwards, so it is in the log, too
    def unforeseen(_: Request, error: Exception) -> JSONResponse:
        why = f"the control plane failed: {type(error).__name__}: {error}"
        return answer(UnderstudyError(f"{why}; `understudy status` shows what is in force, the controller's log more"))
