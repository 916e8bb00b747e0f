// OpenAI's client for Node, as an application uses it: node client.mjs BASE_URL WHAT; prints one JSON object.
import OpenAI from "openai";

const [baseURL, what] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "any", maxRetries: 0, timeout: 120_000 });
const messages = [{ role: "user", content: "Where is my order 4711? 我的订单在哪里？" }];
const asked = { model: "teacher", messages, temperature: 0, max_tokens: 24 };
const order = {
  type: "function",
  function: {
    name: "find_order",
    parameters: {
      type: "object",
      properties: { state: { type: "string", enum: ["paid", "sent"] } },
      required: ["state"],
      additionalProperties: false,
    },
  },
};

const kinds = {
  async stream() {
    const whole = await client.chat.completions.create(asked);
    const parts = [];
    let usage = null;
    const options = { stream: true, stream_options: { include_usage: true } };
    for await (const part of await client.chat.completions.create({ ...asked, ...options })) {
      parts.push(part.choices[0]?.delta?.content ?? "");
      usage = part.usage ?? usage;
    }
    return { whole: whole.choices[0].message.content, streamed: parts.join(""), usage, parts: parts.length };
  },

  async tools() {
    const tool_choice = { type: "function", function: { name: "find_order" } };
    const stream = client.chat.completions.stream({ ...asked, max_tokens: 64, tools: [order], tool_choice });
    const final = await stream.finalChatCompletion();
    const [call] = final.choices[0].message.tool_calls;
    return { name: call.function.name, arguments: JSON.parse(call.function.arguments) };
  },

  async abort() {
    const stream = await client.chat.completions.create({
      ...asked, temperature: 1, max_tokens: 900, ignore_eos: true, stream: true, n: 4,
    });
    let seen = 0;
    for await (const _ of stream) {
      seen += 1;
      stream.controller.abort();
    }
    return { seen, aborted: stream.controller.signal.aborted };
  },

  async refused() {
    try {
      await client.chat.completions.create({ ...asked, model: "nobody" });
    } catch (error) {
      return { kind: error.constructor.name, status: error.status, code: error.code, id: error.requestID };
    }
  },
};

console.log(JSON.stringify(await kinds[what]()));
