"""LangChain's ChatOpenAI: invoked, streamed, with structured output; prints JSON.

Only OPENAI_BASE_URL and OPENAI_API_KEY say where to, as `./run key` prints them.
"""

import json

from langchain_openai import ChatOpenAI
from pydantic import BaseModel

QUESTION = "Say hello in German."


class Noun(BaseModel):
    """What the structured output is made of."""

    article: str
    noun: str


def main() -> None:
    """Asks in the three ways."""
    model = ChatOpenAI(model="extraction-model", max_tokens=300, temperature=0, stream_usage=True)
    invoked = model.invoke(QUESTION)
    chunks = list(model.stream(QUESTION))
    structured = model.with_structured_output(Noun, method="json_schema").invoke(QUESTION)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    print(
        json.dumps(
            {
                "invoked": {
                    "text": invoked.content,
                    "tokens": invoked.usage_metadata["total_tokens"],
                },
                "streamed": {"text": whole.content, "tokens": whole.usage_metadata["total_tokens"]},
                "structured": structured.model_dump(),
            }
        )
    )


if __name__ == "__main__":
    main()
