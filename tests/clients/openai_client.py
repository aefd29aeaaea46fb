"""OpenAI's own client, in each of its ways; prints what came back as JSON.

Only OPENAI_BASE_URL and OPENAI_API_KEY say where to, as `./run key` prints them.
"""

import asyncio
import json
from typing import Any

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

MODEL = "extraction-model"
MESSAGES: Any = [{"role": "user", "content": "Say hello in German."}]
LIMIT = 300
"""Tokens: the client refuses to parse an answer that was cut short."""


class Noun(BaseModel):
    """What `parse` makes of the answer."""

    article: str
    noun: str


def main() -> None:
    """Asks plainly, streamed, parsed, and from a coroutine."""
    client = OpenAI()
    plain = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=LIMIT, temperature=0
    )
    with client.chat.completions.stream(
        model=MODEL,
        messages=MESSAGES,
        max_tokens=LIMIT,
        temperature=0,
        stream_options={"include_usage": True},
    ) as stream:
        streamed = stream.get_final_completion()
    parsed = client.chat.completions.parse(
        model=MODEL, messages=MESSAGES, max_tokens=LIMIT, temperature=0, response_format=Noun
    )
    print(
        json.dumps(
            {
                "plain": _told(plain),
                "streamed": _told(streamed),
                "parsed": parsed.choices[0].message.parsed.model_dump(),
                "from a coroutine": _told(asyncio.run(_ask())),
                "models": [model.id for model in client.models.list()],
            }
        )
    )


async def _ask() -> Any:
    async with AsyncOpenAI() as client:
        return await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=LIMIT, temperature=0
        )


def _told(completion: Any) -> dict[str, Any]:
    return {
        "text": completion.choices[0].message.content,
        "tokens": completion.usage.total_tokens,
    }


if __name__ == "__main__":
    main()
