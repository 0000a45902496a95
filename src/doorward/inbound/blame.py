"""Where a defect happened, without the values it happened with.

A traceback as Python prints it quotes the message of the exception, and that may quote a token or a claim. What is
logged is the chain of exception classes and the places, which is enough to find the line.
"""

from traceback import walk_tb

MAX_FRAMES = 30


def frames(defect: BaseException) -> dict[str, object]:
    """Give the facts for the log: exception classes, outermost first, and `file:line function` of the frames."""
    chain: list[str] = []
    cause: BaseException | None = defect
    while cause is not None and len(chain) < MAX_FRAMES:
        chain.append(type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    places = [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}" for frame, line in walk_tb(defect.__traceback__)
    ]
    return {"exception": chain, "traceback": places[-MAX_FRAMES:]}
