// The worker of page.html: trains there, so that the page stays awake. The page and this file speak in messages.
// The library comes by import(): where a bundler has other files import from a worker's first one, Safari runs that once more for them.
const stop = new AbortController();

globalThis.onmessage = ({ data }) => {
  if (data.stop) stop.abort(new Error("as asked"));
  else train(data).catch((error) => postMessage({ line: `stopped: ${error.message}`, done: true }));
};

async function train({ texts, steps }) {
  const { charTokenizer, createModel, finetune } = await import("webgpu-gpt2");
  const model = await createModel({ nLayer: 2, nEmbd: 64, nHead: 4, nPositions: 64 }, charTokenizer(texts.join("")));
  const onEvent = {
    opened: (device) => postMessage({ line: `computes on ${device}` }),
    stepped: ({ step, loss }) => postMessage({ step, loss }),
    warned: (line) => postMessage({ line }),
  };
  const settings = { maxSteps: steps, learningRate: 3e-3, samples: 0 };
  await finetune(model, texts, settings, { onEvent, signal: stop.signal });
  const samples = await model.generate("", { doSample: true, numReturnSequences: 10, maxNewTokens: 40 });
  for (const line of samples) postMessage({ line });
  postMessage({ zip: await model.toZip(), done: true });
  await model.close();
}
