"""The request behind Open WebUI's "verify connection" button; prints the models as JSON.

Its `POST /openai/verify` does this and no more, with the URL and key that were typed in:
https://github.com/open-webui/open-webui/blob/main/backend/open_webui/routers/openai.py
"""

import asyncio
import json
import os

import aiohttp


async def main() -> None:
    """Lists the models as Open WebUI does."""
    url, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.get(f"{url}/models", headers=headers) as answer,
    ):
        answer.raise_for_status()
        listed = await answer.json()
    print(json.dumps({"models": [model["id"] for model in listed["data"]]}))


if __name__ == "__main__":
    asyncio.run(main())
