/** Lo que dice la página, en español. */
import { decimal, type Texts } from "./en.ts";
import { createTranslator, type MessagePair } from "./messages.ts";

const number = new Intl.NumberFormat("es");
const n = (value: number): string => number.format(Math.round(value));
const real = (value: number, digits: number): string => decimal("es", value, digits);
const counted = (count: number, one: string, many = `${one}s`): string => `${n(count)} ${count === 1 ? one : many}`;

/** Lo que precede a un mensaje: dónde está el problema. */
const PREFIXES: readonly MessagePair[] = [];

/** Los mensajes de la biblioteca que se encuentran en esta página. */
export const MESSAGES: readonly MessagePair[] = [];

export const ES: Texts = {
  locale: "es",
  language: "Idioma",
  title: "Entrena un GPT-2 con tu propia lista",
  lead: "Pega una lista o suelta un archivo, pulsa Entrenar y mira cómo un pequeño modelo de lenguaje la aprende. Todo ocurre en este navegador: no se envía nada a ninguna parte.",
  skip: "Ir al entrenamiento",

  starting: "Arrancando ...",
  onGpu: (name) => `Se calcula en ${name}, por WebGPU.`,
  onCpu: (threads) =>
    `Se calcula en la CPU, en WebAssembly con ${counted(threads, "hilo")}: la página no encontró una GPU que usar.`,
  moreGpu:
    "Un Chrome, Edge, Safari o Firefox actual la usa en una máquina con GPU, si la aceleración gráfica está activada en los ajustes del navegador y la página está en https.",
  moreThreads: "Servida con las cabeceras COOP same-origin y COEP require-corp usaría todos los núcleos.",
  notKept: (why) =>
    `Este navegador no guarda archivos para la página (${why}): un entrenamiento dura hasta que se cierra la pestaña. Descarga lo que quieras conservar.`,

  data: "Datos",
  example: "Ejemplo de correos",
  exampleHint: "2000 direcciones inventadas",
  paste: "Pega una lista, un registro por línea",
  usePaste: "Usar este texto",
  pasted: "texto pegado",
  choose: "Elegir archivos",
  chooseHint: "Texto, JSON lines, CSV, TSV o Parquet. También puedes soltarlos en cualquier parte de la página.",
  chosen: (title) => `Elegido: ${title}`,
  scratch: "Un modelo nuevo, desde cero",
  tunes: (title) => `Continúa desde ${title}`,
  modelHint:
    "O continúa desde otro: un directorio GPT-2 de Hugging Face, un zip suyo como los que hace esta página, o un archivo safetensors; entero, o con correcciones (lora_rank, en Más ajustes).",
  modelFiles: "Archivos de un modelo, o un zip",
  modelFolder: "O su carpeta",
  toScratch: "Otra vez desde cero",
  keepModel: "Conservarlo tal cual, para generar con él",
  drop: "Suelta para usar estos archivos",

  settings: "Ajustes",
  size: "Tamaño",
  sizes: { tiny: "diminuto", small: "pequeño", medium: "mediano", large: "grande", huge: "enorme" },
  fields: {
    n_layer: "Capas",
    n_embd: "Anchura",
    n_positions: "Registro más largo, tokens",
    per_device_train_batch_size: "Registros por paso",
    max_steps: "Pasos",
    learning_rate: "Tasa de aprendizaje",
  },
  more: "Más ajustes",
  moreHint: "Con los nombres de gpt2 train y de transformers.",
  reset: "Volver al dial",
  compute: "Calcular en",
  devices: { auto: "lo mejor que haya", webgpu: "WebGPU", wasm: "WebAssembly" },
  linkProblem: (problem) =>
    `Algunos ajustes de la dirección de esta página no sirven, así que no se usa ninguno: ${problem}`,

  looking: "Leyendo los datos ...",
  prospect: {
    data: "Datos",
    model: "Modelo",
    trains: "Se entrena",
    plan: "Plan",
    evaluation: "Validación",
    memory: "Memoria",
    time: "Tiempo",
  },
  describeData: ({ data }) => {
    const { findings, padding, cache, endText } = data;
    const kept = cache === undefined ? [] : [`guardados en ${cache}`];
    if (data.kind === "stream")
      return [
        `${n(data.tokens)} tokens en ${data.records === 1 ? "un texto" : `${n(data.records)} textos`}`,
        ...kept,
      ].join(", ");
    const own = [
      ...(findings && findings.ownStart > 0 ? [`delante de ${n(findings.ownStart)} registros`] : []),
      ...(findings && findings.ownEnd > 0 ? [`detrás de ${n(findings.ownEnd)}`] : []),
    ];
    return [
      counted(data.records, "registro"),
      counted(data.tokens, "token"),
      `${n(data.ended)} acaban en el token final`,
      `${n(data.cut)} cortados`,
      `el más largo ${n(data.longest)}`,
      ...(padding === undefined ? [] : [`${Math.round(100 * padding)} % de relleno`]),
      ...(data.empty > 0 ? [`${n(data.empty)} vacíos omitidos`] : []),
      ...(findings && findings.blank > 0 ? [`${n(findings.blank)} en blanco omitidos`] : []),
      ...(findings && findings.separators > 0
        ? [`registros entre ${n(findings.separators)} líneas de ${endText}`]
        : []),
      ...(own.length > 0 ? [`${endText} en los datos (${own.join(", ")}) tomado por el del propio registro`] : []),
      ...(findings && findings.inside > 0 ? [`${n(findings.inside)} con ${endText} dentro`] : []),
      ...(data.duplicates > 0 ? [`${n(data.duplicates)} duplicados`] : []),
      ...kept,
    ].join(", ");
  },
  describeModel: (p) =>
    `${n(p.parameters)} parámetros: ${counted(p.layers, "capa")}, ${counted(p.heads, "cabeza")}, anchura ${n(p.width)}, ` +
    `${n(p.places)} posiciones, ${n(p.vocabulary)} tokens (${p.tokenizer})${p.half ? ", en f16" : ""}`,
  describeParts: ({ parameters, trained, lora, groups }) => {
    if (trained === parameters && groups.length === 1) return undefined;
    const share = `${n(trained)} parámetros (${real((100 * trained) / parameters, 2)} % de los del modelo)`;
    const what = lora
      ? `LoRA de rango ${lora.rank}, alfa ${lora.alpha}, en ${lora.targets.join(", ")}: ${share}`
      : share;
    const rates = groups.filter(({ rateFactor }) => rateFactor !== 1).map((one) => `${one.name} a ${one.rateFactor}`);
    return `${what}${rates.length > 0 ? `; de la tasa de aprendizaje: ${rates.join(", ")}` : ""}`;
  },
  describePlan: (p) => {
    const row = p.packed ? "fila empaquetada" : p.data.kind === "stream" ? "ventana" : "registro";
    const rows = p.packed ? "filas empaquetadas" : `${row}s`;
    return (
      `${counted(p.maxSteps, "paso")} de ${counted(p.rows, row, rows)}${p.batches > 1 ? ` en ${p.batches} lotes` : ""}: ` +
      `${real(p.epochs, 1)} épocas, unos ${n(p.tokensSeen)} tokens`
    );
  },
  describeEvaluation: (p) =>
    `con ${counted(p.data.evaluation, p.data.kind === "stream" ? "ventana" : "registro")} aparte, cada ${counted(p.evalSteps, "paso")}`,
  describeMemory: (size) => `${size} en el dispositivo como máximo`,

  describeTime: (time, rate, steps) =>
    `unos ${time} (${real(rate, 2)} pasos/s, la mediana de ${counted(steps, "paso")}; sin validación ni guardado)`,

  train: "Entrenar",
  measure: "Medir el tiempo",
  measuring: "Midiendo ...",
  pause: "Pausar",
  goOn: "Continuar",
  keep: "Parar y conservar",
  pauseHint: "Al pausar se guarda; después continúa donde estaba, también si se cerró la página.",

  run: "Entrenamiento",
  noRun: "Aún no hay ninguno. Pulsa Entrenar: las curvas y las muestras aparecen aquí.",
  phases: { preparation: "preparando", training: "entrenando", end: "guardando el modelo" },
  stopping: "parando tras este paso, y guardando",
  progress: (step, all) => `Paso ${n(step)} de ${n(all)}`,
  tiles: {
    loss: "Pérdida",
    eval_loss: "Pérdida de validación",
    learning_rate: "Tasa de aprendizaje",
    grad_norm: "Norma del gradiente",
    tokens_per_second: "Tokens/s",
    remaining: "Tiempo restante",
  },
  curves: {
    loss: "Pérdida",
    learning_rate: "Tasa de aprendizaje",
    grad_norm: "Norma del gradiente",
    tokens_per_second: "Tokens/s",
  },
  curve: { training: "entrenamiento", evaluation: "validación", value: "valor", step: "paso" },
  curveSays: (name, value, step) => `${name}: ${value} en el paso ${n(step)}`,
  curveEmpty: (name) => `${name}: nada todavía`,
  notices: "Avisos",
  samples: (step) => `Muestras en el paso ${n(step)}`,
  noSamples: "Las muestras llegan con cada validación.",
  marks: {
    ended: "acabó por sí misma",
    cut: "cortada",
    fresh: "nueva",
    known: "está en los datos",
    wellFormed: "bien formada",
    malformed: "mal formada",
  },
  counts: ({ all, ended, fresh, wellFormed }) =>
    `${counted(all, "muestra")}: ${[
      ...(wellFormed === undefined ? [] : [`${n(wellFormed)} bien formadas`]),
      `${n(ended)} acabaron por sí mismas`,
      ...(fresh === undefined ? [] : [`${n(fresh)} no están en los datos`]),
    ].join(", ")}`,
  outcome: {
    finished: "El entrenamiento ha terminado y su modelo está guardado.",
    "early-stop": "El entrenamiento acabó antes, pues la validación no mejoraba; su modelo está guardado.",
    interrupted: "El entrenamiento está en pausa y guardado.",
    "time-limit": "Se acabó el tiempo del entrenamiento; está guardado.",
    "already-finished": "El entrenamiento ya había terminado.",
    withdrawn: "El entrenamiento se paró antes de su primer paso.",
    kept: "El entrenamiento está parado y su mejor modelo conservado.",
  },
  crashed:
    "El trabajador de la página acabó en mitad de un entrenamiento. Se ha vuelto a arrancar, y el entrenamiento continúa desde su último punto guardado cuando lo digas.",
  crashedMemory:
    "El trabajador de la página acabó, y con él el entrenamiento, pues este navegador no guarda archivos para la página.",
  crashedIdle: "El trabajador de la página acabó y se ha vuelto a arrancar.",
  interrupted: (title, step, all) => `${title} no había terminado: el paso ${n(step)} de ${n(all)} está guardado.`,
  elsewhere: (title, step, all) => `${title} se entrena en otra pestaña: paso ${n(step)} de ${n(all)}.`,

  sampleTitle: "Muestras",
  sampleNothing: "Aún no hay modelo: un entrenamiento lo tiene desde su primer punto guardado.",
  prompt: "Comienzo",
  promptHint: "Vacío: el modelo empieza por sí mismo.",
  temperature: "Temperatura",
  topK: "Top k",
  topP: "Top p",
  minP: "Min p",
  repetitionPenalty: "Penalización por repetir",
  count: "Cuántas",
  seed: "Semilla",
  length: "Tokens como máximo",
  generate: "Generar",
  twenty: "20 de una vez",
  hush: "Parar",
  sampling: "Generando ...",
  results: "Resultados",
  sampled: (count) => `${counted(count, "muestra")}, hecho`,
  decimal: real,
  percent: (share) => `${real(100 * share, share < 0.1 ? 2 : 1)} %`,
  endOfText: "fin del texto",
  endMark: "fin",
  unseenText: (text) =>
    ({ " ": "espacio", "\n": "salto de línea", "\t": "tabulador", "": "parte de un carácter" })[text] ?? text,
  tokenSays: (text, percent) => `${text}, ${percent}`,
  rivals: "En su lugar",
  rivalsHint:
    "La probabilidad de cada token según el modelo, antes de que la cambien los ajustes de arriba, y sus cinco rivales: señálalo, tócalo, o ve a él con el tabulador y las flechas.",
  tokensOf: (prompt) => `Tokens tras ${prompt === "" ? "el comienzo" : prompt}`,

  kept: "Entrenamientos guardados",
  keptHint: (memory) =>
    memory
      ? "En la memoria de esta pestaña."
      : "En este navegador y este dispositivo. Se borran al borrar los datos del sitio.",
  nothingKept: "No hay nada guardado.",
  statuses: {
    running: "entrenando",
    paused: "en pausa",
    finished: "terminado",
    kept: "parado, conservado",
    opened: "modelo abierto",
    broken: "dañado",
  },
  here: "aquí",
  there: "en otra pestaña",
  show: "Mostrar",
  compare: "Comparar",
  differing: "Ajustes que difieren",
  setting: "Ajuste",
  download: "Descargar",
  remove: "Borrar",
  removeSure: "Borrar de verdad",
  named: (action, title) => `${action}: ${title}`,
  failed: "Eso no funcionó",
  messages: createTranslator(MESSAGES, PREFIXES),
  inEnglish: "(la biblioteca lo dice en inglés)",

  inside: {
    title: "Mirar dentro",
    hint: "De qué se compone un paso y cuánto tarda aquí, adónde miran los tokens del modelo, y si este dispositivo calcula bien.",
    open: "Abrir",
    tabs: { step: "Un paso", attention: "Atención", tokens: "Tokens", checks: "Pruebas" },
    stop: "Parar",
    working: "Trabajando ...",
    notBeside: "No mientras se entrena.",
    stepHint:
      "El paso del entrenamiento que está preparado, como la única cinta que el dispositivo ejecuta: cada operación con su tiempo. Se dan unos pasos para ello, y no se guarda nada.",
    measureStep: "Medir cada operación",
    stepTook: (ops, ms, runs) =>
      `${counted(ops, "operación", "operaciones")}, ${real(ms, 2)} ms en total: la media de ${counted(runs, "paso")}, cada operación medida por sí sola.`,
    stepUntimed: (ops) =>
      `${counted(ops, "operación", "operaciones")}. Este navegador no da a una página los tiempos de la GPU, así que no los hay.`,
    coarse: (us) =>
      `Este navegador redondea los tiempos a unos ${n(us)} µs, así que las operaciones cortas solo se conocen por su media.`,
    byOp: "Por operación",
    op: "Operación",
    share: "Parte",
    nodes: "Nodos",
    dispatches: "Lanzamientos",
    tape: (ops) => `La cinta entera, ${counted(ops, "línea")}`,
    begin: "antes de los bloques",
    attentionHint: (title) => `Del modelo de ${title}: cuánto mira cada token de una frase a los anteriores.`,
    sentence: "Frase",
    showAttention: "Mostrar",
    layer: "Capa",
    head: "Cabeza",
    meanOfHeads: "media de todas",
    mapOf: (layer, head) => `Atención de la capa ${layer}, cabeza ${head}: una fila mira a sus columnas`,
    looks: (from, to, percent) => `${from} mira a ${to}: ${percent}`,
    pointAtCell: "Señala una celda, tócala, o recórrelas con las flechas.",
    nearestHint: (title) =>
      `Del modelo de ${title}: los tokens cuyos vectores en su embedding apuntan hacia el mismo lado; 1 es la misma dirección.`,
    token: "Token",
    findNearest: "Buscar los más cercanos",
    nearestTo: (token) => `Los más cercanos a ${token}`,
    number: "Número",
    cosine: "Coseno",
    checksHint:
      "Lo que hacen gpt2 verify y gpt2 gradcheck, en el dispositivo con que calcula esta página: un modelo incorporado frente a la CPU en float64; y cada operación, su gradiente frente a diferencias finitas, y este dispositivo frente a la CPU.",
    verify: "Verificar",
    gradcheck: "Probar cada operación",
    checkedSoFar: (done, all) => `${n(done)} de ${counted(all, "operación", "operaciones")}`,
    passed: "bien",
    failed: "MAL",
    passedOf: (good, all) => `${n(good)} de ${n(all)} bien`,
    took: (seconds) => `${real(seconds, 1)} s`,
    check: "Prueba",
    error: "Error",
    bound: "Límite",
    verdict: "Veredicto",
    allChecks: (count) => `Las ${n(count)} pruebas`,
    cases: "Casos",
    differences: "Por diferencias, de lo permitido",
    device: "Dispositivo frente a la CPU",
    noHalves: "Este dispositivo no tiene f16: los casos en f16 solo se probaron por diferencias.",
    copy: "Copiar todo el informe como JSON",
    download: "Descargarlo",
    copied: "Copiado.",
    copyYourself: "Este navegador no deja que la página copie; aquí está:",
  },
  dismiss: "Cerrar",
  footer: "El modelo de un entrenamiento es un zip que abren gpt2 generate y transformers.",
};
