/** Lo que dice la página, en español. */
import { epochDigits } from "../../../src/report/plan-words.ts";
import { writeNumber } from "../numbers.ts";
import { decimal, type Texts } from "./en.ts";
import { createTranslator, type MessagePair } from "./messages.ts";

const number = new Intl.NumberFormat("es");
const n = (value: number): string => number.format(Math.round(value));
const real = (value: number, digits: number): string => decimal("es", value, digits);
const counted = (count: number, one: string, many = `${one}s`): string => `${n(count)} ${count === 1 ? one : many}`;

/** Lo que precede a un mensaje: dónde está el problema. */
const PREFIXES: readonly MessagePair[] = [
  ["{}, line {}", "{1}, línea {2}"],
  ["{}, record {}", "{1}, registro {2}"],
  ["settings", "ajustes"],
  ["train", "entrenamiento"],
  ["attention", "atención"],
  ["text {}", "texto {1}"],
  ["char tokenizer", "tokenizador char"],
  ["factors of the learning rate, of what trains", "factores de la tasa de aprendizaje, de lo que se entrena"],
];

/** Los mensajes de la biblioteca que se encuentran en esta página. */
export const MESSAGES: readonly MessagePair[] = [
  [
    "no data: choose a file, paste a text, or take the example",
    "no hay datos: elige un archivo, pega un texto o toma el ejemplo",
  ],
  [
    "the data has no records: wanted a text file with one record a line",
    "los datos no tienen registros: se esperaba un archivo de texto con un registro por línea",
  ],
  ["has no characters; wanted text", "no tiene caracteres; se esperaba texto"],
  ["is empty; wanted text", "está vacío; se esperaba texto"],
  ["has no records: all {} are empty or white space", "no tiene registros: los {1} están vacíos o en blanco"],
  ["has no records: all {} are empty", "no tiene registros: los {1} están vacíos"],
  ["has no records: its only one is empty or white space", "no tiene registros: el único está vacío o en blanco"],
  ["has no records: its only one is empty", "no tiene registros: el único está vacío"],
  [
    "has no records; wanted text with one record a line, or JSON lines, CSV or Parquet",
    "no tiene registros; se esperaba texto con un registro por línea, o JSON lines, CSV o Parquet",
  ],
  [".{} files are not read; {}", "los archivos .{1} no se leen; {2!}"],
  ["unpack it: {}", "descomprímelo: {1}"],
  [
    "is a spreadsheet; save it as CSV, and choose that file",
    "es una hoja de cálculo; guárdala como CSV y elige ese archivo",
  ],
  [
    "is no plain text; save it as such, or copy its text and paste it",
    "no es texto sin formato; guárdalo como tal, o copia su texto y pégalo",
  ],
  ["is compressed by gzip; unpack it: gunzip", "está comprimido con gzip; descomprímelo: gunzip"],
  ["is compressed by zstd; unpack it: unzstd", "está comprimido con zstd; descomprímelo: unzstd"],
  [
    "is a Parquet file; name it .parquet or say --data-format parquet",
    "es un archivo Parquet; llámalo .parquet, o pon data_format a parquet",
  ],
  ["save it as Parquet", "guárdalo como Parquet"],
  [
    "write one JSON object a line ({}), or say --data-format jsonl if it is so",
    "escribe un objeto JSON por línea ({1}), o di --data-format jsonl si ya es así",
  ],
  [
    "write its ids with tofile() as .bin, or its texts as .jsonl",
    "escribe sus ids con tofile() como .bin, o sus textos como .jsonl",
  ],
  [
    "byte {} ({}) is not UTF-8; convert the file, for example: {}",
    "el byte {1} ({2}) no es UTF-8; convierte el archivo, por ejemplo: {3}",
  ],
  [
    "byte {} is NUL; is it a binary file? wanted UTF-8 text, or say its format: --data-format, --prompt-format",
    "el byte {1} es NUL; ¿es un archivo binario? Se esperaba texto UTF-8, o di su formato: data_format",
  ],
  ["take the text out of it: {}", "saca el texto de él: {1}"],
  ["save it as plain text, in UTF-8", "guárdalo como texto sin formato, en UTF-8"],
  ["save it as CSV, in UTF-8", "guárdalo como CSV, en UTF-8"],
  ["is a PDF; {}", "es un PDF; {1!}"],
  ["is an old Office file; save it as text or CSV", "es un archivo antiguo de Office; guárdalo como texto o CSV"],
  [
    "is a zip file; unpack it, or, of a document or a table, save it as text or CSV",
    "es un zip; descomprímelo o, si es un documento o una tabla, guárdalo como texto o CSV",
  ],
  ["is compressed by {}; {}", "está comprimido con {1}; {2!}"],
  [
    "no column {}, which the first line has; got {}; give it one, null for no text, or leave the line out",
    "no hay columna {1}, que la primera línea tiene; hay {2}; dale una, null si no hay texto, o quita la línea",
  ],
  ["is UTF-16; convert it: {}", "está en UTF-16; conviértelo: {1}"],
  [
    "is longer than {} characters; say --stream if it is one long text",
    "tiene más de {1} caracteres; activa stream si es un solo texto largo",
  ],
  [
    "a record of more than {} characters; is it one long text?",
    "un registro de más de {1} caracteres; ¿es un solo texto largo?",
  ],
  [
    "a row of more than {} characters; is a quote never closed?",
    "una fila de más de {1} caracteres; ¿hay unas comillas sin cerrar?",
  ],
  [
    "{}; close it, and write a quote inside a field twice",
    "{1!}; ciérralas, y escribe dos veces unas comillas dentro de un campo",
  ],
  ["a quote opens here and is never closed", "aquí se abren unas comillas que no se cierran"],
  ["a quoted field goes on after its end", "un campo entre comillas sigue tras su final"],
  [
    "has 1 field, the first row {}; quote fields that hold {} or line ends",
    "tiene 1 campo, y la primera fila {1}; pon entre comillas los campos con {2} o saltos de línea",
  ],
  [
    "has {} fields, the first row {}; quote fields that hold {} or line ends",
    "tiene {1} campos, la primera fila {2}; pon entre comillas los campos que contengan {3} o saltos de línea",
  ],
  [
    "columns are separated by {}, as its first line says",
    "las columnas se separan por {1!}, como dice su primera línea",
  ],
  ["columns are separated by {}, not {}; read so", "las columnas se separan por {1!}, no por {2!}; se lee así"],
  [
    'wanted a column "text", or "prompt" and "completion"; got {}; say which: --text-column',
    'se esperaba una columna "text", o "prompt" y "completion"; hay {1}; di cuál: text_column',
  ],
  [
    "no column {}; got {}; say which: --text-column, or --prompt-column and --completion-column",
    "no hay columna {1}; hay {2}; di cuál: text_column, o prompt_column y completion_column",
  ],
  ["no column {}; got {}; say which: --prompt-column", "no hay columna {1}; hay {2}; di cuál: prompt_column"],
  [
    "column {} is {}, wanted text; choose another with --text-column",
    "la columna {1} es {2!}, se esperaba texto; elige otra con text_column",
  ],
  ["commas", "comas"],
  ["semicolons", "puntos y coma"],
  ["tabs", "tabuladores"],
  ["bars", "barras"],
  ["a list", "una lista"],
  ["an object", "un objeto"],
  ["is not valid JSON ({})", "no es JSON válido ({1})"],
  [
    "is not JSON: {}; wanted one whole object a line, such as {}",
    "no es JSON: {1}; se esperaba un objeto entero por línea, como {2}",
  ],
  [
    "is JSON over several lines; write each object on one: {}",
    "es JSON en varias líneas; escribe cada objeto en una: {1}",
  ],
  [
    "has single quotes, as Python prints a dict, which is no JSON; write it with json.dumps",
    "tiene comillas simples, como las que escribe Python, y eso no es JSON; escríbelo con json.dumps",
  ],
  ["is JSON, but no object; wanted one such as {}", "es JSON, pero no un objeto; se esperaba uno como {1}"],
  ["is a JSON array; write one object a line: {}", "es una lista JSON; escribe un objeto por línea: {1}"],
  ["cannot be read as Parquet: {}; is the file whole?", "no se puede leer como Parquet: {1}; ¿está el archivo entero?"],
  [
    "cannot be read: {}; has it changed since it was chosen?",
    "no se puede leer: {1}; ¿ha cambiado desde que se eligió?",
  ],
  [
    "{} characters without white space; break the text into lines, or use --tokenizer byte",
    "{1} caracteres sin espacios; parte el texto en líneas, o usa tokenizer byte",
  ],
  [
    "{} {} with {}, which is no token here and is learnt letter by letter; leave it out: every record starts after {} by itself",
    "registros que empiezan con {3}: {1}; aquí no es un token y se aprende letra a letra; quítalo: cada registro empieza por sí solo tras {4}",
  ],
  [
    "{} records hold {}, which is no token here and is learnt letter by letter; leave it out: every record ends in {} by itself",
    "{1} registros contienen {2}, que aquí no es un token y se aprende letra a letra; quítalo: cada registro acaba por sí solo en {3}",
  ],
  [
    "{} record holds {}, which is no token here and is learnt letter by letter; leave it out: every record ends in {} by itself",
    "{1} registro contiene {2}, que aquí no es un token y se aprende letra a letra; quítalo: cada registro acaba por sí solo en {3}",
  ],
  [
    "{} of {} lines {} in {}, and each line is a record; where records have several lines, put {} on a line of its own between them",
    "líneas que acaban en {4}: {1} de {2}, y cada línea es un registro; si los registros tienen varias líneas, pon {5} en una línea propia entre ellos",
  ],
  [
    "its records have no prompts, so that --mask-prompt does nothing",
    "sus registros no son pares, así que mask_prompt no hace nada",
  ],
  [
    "the prompt of each record fills the context of {} tokens, so that nothing is left to learn; raise --n-positions, or leave out --mask-prompt",
    "lo que se da en cada par llena el contexto de {1} tokens, y no queda nada que aprender; sube n_positions, o quita mask_prompt",
  ],
  [
    "of {} of {} records nothing is learnt, since the prompt fills the context of {} tokens; raise --n-positions",
    "de {1} de {2} pares no se aprende nada, pues lo que se da llena el contexto de {3} tokens; sube n_positions",
  ],
  [
    "{} has 1 token, a window of {} places takes {}; lower --n-positions, or give more text",
    "{1} tiene 1 token, y una ventana de {2} posiciones necesita {3}; baja n_positions, o da más texto",
  ],
  [
    "{} has {} tokens, a window of {} places takes {}; lower --n-positions, or give more text",
    "{1} tiene {2} tokens, y una ventana de {3} posiciones necesita {4}; baja n_positions, o da más texto",
  ],
  [
    "the text has {} tokens, a window {}; use more text, or a smaller --n-positions",
    "el texto tiene {1} tokens, y una ventana {2}; da más texto, o baja n_positions",
  ],
  [
    "--eval-split holds records out, and there is one record only; give more, or set it to 0",
    "eval_split aparta registros, y solo hay uno; da más, o pon eval_split a 0",
  ],
  [
    "{} at line {}, column {} is not among the {} characters it was made of; leave it out, or take a model that has learnt it",
    "{1!} en la línea {2}, columna {3}, no está entre los {4} caracteres de que se hizo; quítalo, o toma un modelo que lo haya aprendido",
  ],
  ["character {} ({})", "el carácter {1} ({2})"],
  ["the text holds half a surrogate pair; is it UTF-8?", "el texto tiene medio par suplente; ¿es UTF-8?"],
  ["the text is empty; wanted at least one character", "el texto está vacío; se esperaba al menos un carácter"],
  ["{} is chosen on the page, not set", "{1} se elige en la página, no es un ajuste"],
  [
    "fast_reduce is for many machines, and a page is one; leave it out",
    "fast_reduce es para varias máquinas, y una página es una; quítalo",
  ],
  ["{} is not a setting; {}", "{1} no es un ajuste; {2!}"],
  ["it is {} here", "aquí es {1}"],
  ["give {} f16", "pon {1} a f16"],
  ["did you mean {}?", "¿querías decir {1}?"],
  ["`gpt2 train --help` lists them", "«gpt2 train --help» los enumera"],
  ["{} and {} are the same; leave out one", "{1} y {2} son lo mismo; quita uno"],
  ["{} and {} say the same in two ways; leave out one", "{1} y {2} dicen lo mismo de dos maneras; quita uno"],
  [
    "--prompt-column and --completion-column go together; give both, or --text-column",
    "prompt_column y completion_column van juntos; da los dos, o text_column",
  ],
  [
    "--text-column and --prompt-column exclude each other; leave out one",
    "text_column y prompt_column se excluyen; quita uno",
  ],
  ["--stream has no records to pack; leave out --packing", "con stream no hay registros que empaquetar; quita packing"],
  [
    "{} is {}, no multiple of {} {}; change one of them",
    "{1} es {2}, que no es múltiplo de {3} {4}; cambia uno de los dos",
  ],
  [
    "{} {} cannot be cut into heads; give a multiple of {}, or {} too",
    "{1} {2} no se puede repartir en cabezas; da un múltiplo de {3}, o también {4}",
  ],
  [
    "{} {} by {} {} makes heads of {} columns, at most {} are possible; give more heads, or leave {} out",
    "{1} {2} entre {3} {4} da cabezas de {5} columnas, y como mucho pueden ser {6}; da más cabezas, o quita {7}",
  ],
  [
    "n_layer {}, n_embd {}, n_positions {} and per_device_train_batch_size {} take more memory than any browser gives; make them smaller",
    "n_layer {1}, n_embd {2}, n_positions {3} y per_device_train_batch_size {4} piden más memoria de la que da ningún navegador; redúcelos",
  ],
  [
    "{} wants something to evaluate on: give --eval-split 0.1 or --eval-data FILES, or leave it out",
    "{1} necesita con qué validar: pon eval_split a 0.1, o quítalo",
  ],
  ["{} does nothing without --eval-split or --eval-data", "{1} no hace nada sin eval_split"],
  [
    "{} does nothing with --lr-scheduler-type constant; constant_with_warmup has a warm-up",
    "{1} no hace nada con lr_scheduler_type constant; constant_with_warmup tiene calentamiento",
  ],
  [
    "{} is for --lr-scheduler-type {}; others have no floor",
    "{1} es para lr_scheduler_type {2}; los demás no tienen suelo",
  ],
  ["{} is for --lr-scheduler-type warmup_stable_decay", "{1} es para lr_scheduler_type warmup_stable_decay"],
  ["{} does nothing without --early-stopping-patience", "{1} no hace nada sin early_stopping_patience"],
  ["{} does nothing with --stream, which has no prompts", "{1} no hace nada con stream, que no tiene pares"],
  ["{} does nothing with --text-column, which has no prompts", "{1} no hace nada con text_column, que no tiene pares"],
  [
    "{} has {} texts, of which --samples {} leaves out the last {}; --samples {} continues all",
    "{1} tiene {2} textos, y samples {3} omite los últimos {4}; samples {5} los continúa todos",
  ],
  [
    "{} names no parameter; wanted names like {}, or a part of one up to a dot, or with *",
    "{1} no nombra ningún parámetro; se esperaban nombres como {2}, o parte de uno hasta un punto, o con *",
  ],
  ["{} does nothing with --save-steps 0", "{1} no hace nada con save_steps 0"],
  ["{} does nothing with --samples 0", "{1} no hace nada con samples 0"],
  [
    "{} does nothing with --temperature 0, which is greedy",
    "{1} no hace nada con temperature 0, que toma siempre lo más probable",
  ],
  [
    "{} is for tables and JSON lines; this data has no columns",
    "{1} es para tablas y JSON lines; estos datos no tienen columnas",
  ],
  ["{} is for LoRA; give --lora-rank as well, such as 8", "{1} es para LoRA; da también lora_rank, por ejemplo 8"],
  [
    "--lora-target-modules is for LoRA; give --lora-rank as well, such as 8",
    "lora_target_modules es para LoRA; da también lora_rank, por ejemplo 8",
  ],
  [
    "training needs {} of memory, {} is what {}; what fits: {}",
    "entrenar necesita {1} de memoria, y {2} es lo que {3!}; lo que cabe: {4}",
  ],
  [
    "training needs {} of memory, {} is what {}, and {} would not fit; use a smaller model or shorter records",
    "entrenar necesita {1} de memoria, y {2} es lo que {3!}; ni {4} cabría: usa un modelo más pequeño o registros más cortos",
  ],
  [
    "training needs more memory than there is ({}); what fits: {}",
    "entrenar necesita más memoria de la que hay ({1}); lo que cabe: {2}",
  ],
  [
    "training needs more memory than there is ({}), and {} would not fit; use a smaller model or shorter records",
    "entrenar necesita más memoria de la que hay ({1}); ni {2} cabría: usa un modelo más pequeño o registros más cortos",
  ],
  [
    "no space left: the browser gives this site no more; delete what it keeps, or free some of the disk",
    "no queda espacio: el navegador no da más a este sitio; borra algo de lo que guarda, o libera sitio en el disco",
  ],
  [
    "checkpoint-{} was not saved: {}; earlier checkpoints are as they were",
    "checkpoint-{1} no se guardó: {2!}; los anteriores siguen como estaban",
  ],
  [
    "the model was not saved: {}; checkpoint-{} is the newest, of {} steps; mend that, and resume the run",
    "el modelo no se guardó: {1!}; checkpoint-{2} es el más nuevo, de {3} pasos; arregla eso y pulsa Continuar",
  ],
  [
    "the model was not saved: {}; checkpoint-{} has all of it; mend that, and resume the run",
    "el modelo no se guardó: {1!}; checkpoint-{2} lo tiene todo; arregla eso y pulsa Continuar",
  ],
  ["the model was not saved: {}; there is no checkpoint", "el modelo no se guardó: {1!}; no hay ningún punto guardado"],
  [
    "training needs {} of memory, more than {} has; {}",
    "entrenar necesita {1} de memoria, más de la que tiene {2}; {3!}",
  ],
  ["what takes less: {}", "lo que pide menos: {1}"],
  ["use a smaller model or shorter records", "usa un modelo más pequeño o registros más cortos"],
  ["WebAssembly can have", "puede tener WebAssembly"],
  ["this device has ({})", "tiene este dispositivo ({1})"],
  [
    "WebAssembly is out of memory; use a smaller batch, a shorter context or a smaller model",
    "WebAssembly se ha quedado sin memoria; usa un lote más pequeño, un contexto más corto o un modelo más pequeño",
  ],
  ["a run trains here already; stop it first", "aquí ya se entrena algo; páralo primero"],
  ["stopped after step {}", "parado tras el paso {1}"],
  ["went on from step {}", "continuado desde el paso {1}"],
  ["--max-hours were over after step {}", "max_hours se acabaron tras el paso {1}"],
  [
    "--max-hours are over: stopping after this step and saving",
    "max_hours se acabaron: se para tras este paso y se guarda",
  ],
  ["no evaluation in {} was better than {} at step {}", "ninguna validación de {1} fue mejor que {2}, del paso {3}"],
  [
    "step {} left out: loss {}, grad_norm {}; the weights are as before",
    "paso {1} omitido: loss {2}, grad_norm {3}; los pesos quedan como estaban",
  ],
  [
    "step {} left out: a gradient times {} was too large for f16; the loss scale is {} from now on",
    "paso {1} omitido: un gradiente por {2} era demasiado grande para f16; desde ahora la escala es {3}",
  ],
  [
    "step {}: loss {} is {} deviations above its mean, {}",
    "paso {1}: la pérdida {2} está {3} desviaciones por encima de su media, {4}",
  ],
  [
    "{} ({}); its texts are in no file, since it could not be written ({}); try a lower --learning-rate",
    "{1!} ({2}); no se pudo guardar de qué trataba ({3!}); prueba con una learning_rate más baja",
  ],
  [
    "{} ({}); its texts are in {}; try a lower --learning-rate",
    "{1!} ({2}); de qué trataba se puede descargar donde se muestra el entrenamiento; prueba con una learning_rate más baja",
  ],
  ["{} steps in a row were not finite, the last one {}", "{1} pasos seguidos no fueron finitos, el último el {2}"],
  ["step {} was not finite", "el paso {1} no fue finito"],
  [
    "the data is not what the run began with ({}): it goes on, but not as one that never stopped",
    "los datos no son con los que empezó ({1}): continúa, pero no como si nunca se hubiera parado",
  ],
  [
    "the run was computed on {} and goes on on {}: from the same weights, in other bits",
    "se calculaba en {1} y continúa en {2}: desde los mismos pesos, con otros bits",
  ],
  ["has no checkpoint yet; starting at the first step", "aún no tiene punto guardado; se empieza por el primer paso"],
  ["has no checkpoint yet; wait for its first one", "aún no tiene punto guardado; espera al primero"],
  [
    "another tab or worker is at work there; wait for it, or choose another",
    "otra pestaña trabaja ahí; espera a que acabe, o elige otro",
  ],
  [
    "this run does not exist any more: it was deleted in another tab",
    "este entrenamiento ya no existe: se borró en otra pestaña",
  ],
  ["the model that this run began with is gone", "el modelo con que empezó ya no está"],
  ["{}; the model is saved, samples are left out", "{1!}; el modelo está guardado, y las muestras se omiten"],
  ["all {} steps are done", "los {1} pasos están hechos"],
  [
    "no weights among them; wanted model.safetensors, with config.json and the tokenizer",
    "no hay pesos entre ellos; se esperaba model.safetensors, con config.json y el tokenizador",
  ],
  ["is there twice; give the files of one model", "está dos veces; da los archivos de un solo modelo"],
  ["is there twice; choose the files of one model", "está dos veces; elige los archivos de un solo modelo"],
  ["is no zip that can be read ({})", "no es un zip que se pueda leer ({1})"],
  [
    "unpacks to more than {}; unpack it, and give what is in it",
    "descomprimido ocupa más de {1}; descomprímelo, y elige sus archivos",
  ],
  ["has {}; unpack it, and give what is in it", "tiene {1}; descomprímelo, y elige sus archivos"],
  [
    "holds corrections (LoRA); open the model that gpt2 merge makes of them",
    "contiene correcciones (LoRA); abre el modelo que gpt2 merge hace de ellas",
  ],
  [
    "header length {}, but only {} bytes follow. Is the file cut short?",
    "la cabecera dice medir {1}, pero solo siguen {2} bytes. ¿Está el archivo cortado?",
  ],
  [
    "header length {}; wanted at most {} bytes. Is this a safetensors file?",
    "la cabecera dice medir {1}; se esperaban como mucho {2} bytes. ¿Es un archivo safetensors?",
  ],
  ["{} bytes; wanted at least 8, the header's length", "{1} bytes; se esperaban al menos 8, lo que mide la cabecera"],
  ['header does not begin with "{"', 'la cabecera no empieza por "{". ¿Es un archivo safetensors?'],
  ["{} of {} tensors are missing, the first is {}", "faltan {1} de los {2} tensores, el primero {3}; ¿es de un GPT-2?"],
  ["not valid JSON", "no es JSON válido"],
  ["no model", "no hay model en él; se esperaba el de un GPT-2"],
  ["got {}; wanted config.json", "hay {1}; se esperaba config.json"],
  [
    "no tokenizer: got {}; wanted tokenizer.json, or vocab.json and merges.txt",
    "no hay tokenizador: hay {1}; se esperaba tokenizer.json, o vocab.json y merges.txt",
  ],
  ["has no tokenizer.json, nor vocab.json and merges.txt", "no tiene tokenizer.json, ni vocab.json y merges.txt"],
  ["tensor {} is {}; wanted {}", "el tensor {1} es {2}; se esperaba {3!}"],
  [
    "is {} wide, and how many heads share that is not in the weights; put its config.json beside it, or name it with --config",
    "su anchura es {1}, y cuántas cabezas la comparten no está en los pesos; elige también su config.json",
  ],
  [
    "the model's logits are not finite: its weights are damaged, or training diverged",
    "los logits del modelo no son finitos: sus pesos están dañados, o el entrenamiento divergió",
  ],
  [
    "numReturnSequences is {}: without sampling all of them would be equal: set doSample, or numBeams",
    "con temperatura 0 las {1} muestras serían iguales: pide una, o sube la temperatura",
  ],
  [
    "temperature is {}: wanted 0, which is greedy, or {} and more",
    "la temperatura es {1}: se esperaba 0, que toma siempre lo más probable, o {2} o más",
  ],
  [
    "the text has {} tokens; at most {} can be shown, give a part of it",
    "el texto tiene {1} tokens; se pueden mostrar {2} como mucho, da una parte",
  ],
  [
    "the text has {} tokens, the model's context holds {}; give a part of it",
    "el texto tiene {1} tokens, y en el contexto del modelo caben {2}; da una parte",
  ],
  ["{} is {} tokens ({}); wanted one, or an id", "{1} son {2} tokens ({3}); se esperaba uno"],
  ["{} is no hardware", "{1} no es hardware"],
  [
    "WebGPU is missing: {}; a current Chrome, Edge, Safari or Firefox has it, on https",
    "falta WebGPU: {1!}; un Chrome, Edge, Safari o Firefox actual lo tiene, en https",
  ],
  ["this page is not on https or localhost", "esta página no está en https ni en localhost"],
  ["this browser has none", "este navegador no lo tiene"],
  [
    "WebGPU has no adapter here; is the browser's graphics acceleration switched off?",
    "WebGPU no tiene aquí ningún adaptador; ¿está apagada la aceleración gráfica del navegador?",
  ],
  [
    "this browser keeps no files for a page, or not on http",
    "este navegador no guarda archivos para una página, o no en http",
  ],
  ["{} is {}; wanted {}", "{1} es {2}; se esperaba {3!}"],
  ["a whole number, {} or more; {}", "un número entero, {1} o más; {2}"],
  ["a whole number, {} or more", "un número entero, {1} o más"],
  ["a whole number from {} to {}", "un número entero de {1} a {2}"],
  ["a number from {} to {}", "un número de {1} a {2}"],
  ["a number, {} or more", "un número, {1} o más"],
  ["at most {} on a page", "{1} como mucho en una página"],
  ["at most {}, {}", "{1} como mucho, {2}"],
  ["one of {}", "uno de {1}"],
  ["auto, webgpu or wasm", "auto, webgpu o wasm"],
  ["true or false", "true o false"],
  ["a list of texts", "una lista de textos"],
  ["some text", "un texto"],
  // Lo que se encuentra pocas veces: archivos dañados, de otra clase o de otro programa, y la memoria que falta.
  [
    "{} columns are called {}, numbers {}; give each a name of its own",
    "{1} columnas se llaman {2}; da a cada una su propio nombre",
  ],
  [
    "is one column by {}, but {} by {}: {}; say which is the text: --text-column",
    "es una sola columna separada por {1!}, pero {2} por {3!}: {4}; di cuál es el texto: text_column",
  ],
  [
    "holds ids, from which the characters cannot be known; name the tokenizer that made them, for example --tokenizer gpt2",
    "contiene ids, de los que no se saben los caracteres; di qué tokenizador los hizo, por ejemplo tokenizer gpt2",
  ],
  [
    "id {} at index {}, wanted 0 to {}; was it made with another tokenizer?",
    "id {1} en el índice {2}, se esperaba de 0 a {3}; ¿se hizo con otro tokenizador?",
  ],
  [
    "has {} bytes, an odd number; wanted ids of 16 bits, as nanoGPT writes them; is it whole?",
    "tiene {1} bytes, un número impar; se esperaban ids de 16 bits, como los escribe nanoGPT; ¿está entero?",
  ],
  [
    "a text is not UTF-8; write the file again from texts that are",
    "un texto no es UTF-8; escribe el archivo de nuevo con textos que lo sean",
  ],
  ["ended at byte {} while it was read; has it changed?", "acabó en el byte {1} mientras se leía; ¿ha cambiado?"],
  ["there is no memory for {} bytes of ids; give less data", "no hay memoria para {1} bytes de ids; da menos datos"],
  [
    "tensor {} is no parameter of a GPT-2 with {} layers{}",
    "el tensor {1} no es un parámetro de un GPT-2 con {2} capas{3}",
  ],
  ["tensor {} is missing", "falta el tensor {1}"],
  ["lists {}, which is not there{}", "nombra {1}, que no está{2}"],
  ["weight_map is empty", "weight_map está vacío"],
  ["no weight_map", "no tiene weight_map"],
  ["has no matrix {}, so this is no GPT-2", "no tiene la matriz {1}, así que no es un GPT-2"],
  ["not a JSON object", "no es un objeto JSON"],
  ["{} bytes; wanted at most {}", "{1} bytes; se esperaban como mucho {2}"],
  ["is not there", "no está"],
  ["ends at byte {}, wanted {}", "acaba en el byte {1}, se esperaba {2}"],
  [
    "tensors take {} bytes, but {} follow the header. {}",
    "los tensores ocupan {1} bytes, pero tras la cabecera hay {2}. {3}",
  ],
  ["dtype {}; wanted F32, F16, BF16 or F64", "dtype {1}; se esperaba F32, F16, BF16 o F64"],
  ["{}; wanted plain LoRA as PEFT has it by default", "{1}; se esperaba LoRA simple, como lo hace PEFT por defecto"],
  ["tensor {} is none of the target modules' of {}", "el tensor {1} no es de ninguno de los módulos de {2}"],
  ["has corrections already; make it one model first: {}", "ya tiene correcciones; haz primero un solo modelo: {1}"],
  ["{} tokens, but the model's vocabulary has {}", "{1} tokens, pero el vocabulario del modelo tiene {2}"],
  ["normalizer {}; wanted none, as in GPT-2's", "normalizer {1}; se esperaba ninguno, como en el de GPT-2"],
  ['{}; wanted "BPE after ByteLevel", as in GPT-2\'s', '{1}; se esperaba "BPE after ByteLevel", como en el de GPT-2'],
  ["no token for byte {}; wanted all 256 single bytes", "falta el token del byte {1}; se esperaban los 256 bytes"],
  ["{} and {} are merged twice", "{1} y {2} se unen dos veces"],
  ["{}; passed over", "{1!}; se omite"],
  ["none of its checkpoints is whole", "ninguno de sus puntos de control está entero"],
  [
    "is damaged, its SHA-256 is not the one it was saved with",
    "está dañado: su SHA-256 no es el que tenía al guardarse",
  ],
  ["has {} bytes, was saved with {}", "tiene {1} bytes, y se guardó con {2}"],
  ["is of step {}; was it renamed?", "es del paso {1}; ¿se ha cambiado su nombre?"],
  [
    "{} is now {}, since the run goes on from step {}; it may be deleted",
    "{1} es ahora {2}, pues el entrenamiento sigue desde el paso {3}; se puede borrar",
  ],
  ["{}; it is now {} and may be deleted", "{1!}; ahora es {2} y se puede borrar"],
  ["removed what an interrupted save left behind: {}", "se quitó lo que dejó un guardado interrumpido: {1}"],
  ["could not clean up: {}", "no se pudo limpiar: {1!}"],
  ["the model was not saved: {}; {}", "el modelo no se guardó: {1!}; {2!}"],
  ["format {}; this version reads {}", "formato {1}; esta versión lee {2}"],
  [
    "all {} steps are done; ask for more with --max-steps, or train anew",
    "los {1} pasos están hechos; pide más con max_steps, o entrena de nuevo",
  ],
  [
    "ended early, after step {}, since evaluations were not better; raise --early-stopping-patience, or train anew",
    "acabó antes, tras el paso {1}, pues las validaciones no mejoraban; sube early_stopping_patience, o entrena de nuevo",
  ],
  ["does not exist", "no existe"],
  ["exists already", "ya existe"],
  ["is not a file", "no es un archivo"],
  ["is a folder, wanted a file", "es una carpeta, se esperaba un archivo"],
  [
    "reads back other bytes than were written; check the disk",
    "devuelve otros bytes que los escritos; comprueba el disco",
  ],
  [
    "is a lock no longer, it was released or taken away; stopped",
    "el bloqueo ya no es suyo: se soltó o se lo quitaron; parado",
  ],
  [
    "{} is out of memory: {} were wanted; use a smaller batch, a shorter context or a smaller model",
    "{1} se ha quedado sin memoria: se querían {2}; usa un lote menor, un contexto más corto o un modelo más pequeño",
  ],
  [
    '{} is out of memory: {} were wanted for "{}"; use a smaller model, or close another',
    '{1} se ha quedado sin memoria: se querían {2} para "{3}"; usa un modelo más pequeño, o cierra otro',
  ],
  [
    "{} needs a buffer of {} bytes, the adapter allows {}; {}",
    "{1} necesita un búfer de {2} bytes, y el adaptador permite {3}; {4!}",
  ],
  ["use a smaller model or another adapter", "usa un modelo más pequeño u otro adaptador"],
  ["use a smaller batch or another adapter", "usa un lote menor u otro adaptador"],
  [
    "a 32-bit memory of 4 GiB has no room for {} more; use a smaller batch, a shorter context or a smaller model",
    "en una memoria de 32 bits, de 4 GiB, no caben {1} más; usa un lote menor, un contexto más corto o un modelo más pequeño",
  ],
];

/** Para qué es cada ajuste, por su nombre. */
export const HELPS: Readonly<Record<string, string>> = {
  data_format: "cuando los nombres no lo dicen: txt, jsonl, csv, tsv, parquet, bin",
  text_column: "la columna con el texto; por defecto text",
  prompt_column: "pares: la columna con lo que se da",
  completion_column: "pares: la columna con lo que se aprende",
  mask_prompt: "sin pérdida en lo que se da de los pares",
  stream: "un solo texto largo, que se entrena por ventanas, en vez de registros",
  packing: "varios registros en una fila, ninguno de los cuales ve a otro",
  eval_split: "parte de los datos con que se valida en vez de entrenar",
  tokenizer: "de un modelo nuevo: char, gpt2, byte",
  n_embd: "anchura",
  n_layer: "bloques",
  n_head: "cabezas de atención; de un modelo más ancho que no diga más, cabezas de 64 columnas",
  n_positions: "el registro más largo, en tokens",
  dropout: "de embeddings, atención y residuos; por defecto 0, o el del modelo",
  bias: "sesgos en las capas lineales y en LayerNorm",
  activation_function: "GELU por tanh o exacta: gelu_new, gelu",
  max_steps: "pasos del optimizador; por defecto 1000",
  num_train_epochs: "en su lugar, pasadas por los datos",
  per_device_train_batch_size: "filas a la vez",
  gradient_accumulation_steps: "lotes de un paso, normalizados por todos sus tokens",
  learning_rate: "la tasa más alta",
  lr_scheduler_type: "cómo baja la tasa",
  warmup_steps: "pasos desde 0 hasta la tasa más alta; por defecto 50, de entrenamientos cortos un décimo",
  warmup_ratio: "lo mismo, como parte de todos los pasos",
  min_lr: "donde acaban las tasas que tienen suelo",
  decay_steps: "de warmup_stable_decay; por defecto un quinto de todos",
  weight_decay: "en las matrices",
  adam_beta1: "decaimiento de la media de los gradientes",
  adam_beta2: "de la media de sus cuadrados",
  adam_epsilon: "se suma a su raíz",
  max_grad_norm: "se recorta a ella; 0: nunca",
  label_smoothing_factor: "parte de cada etiqueta que se reparte por el vocabulario, al entrenar",
  precision: "de matrices y activaciones; f16 es más rápido en GPUs y pide menos memoria; sumas y pesos siguen en f32",
  recompute: "calcular otra vez los bloques hacia atrás: menos memoria, más trabajo, los mismos bits",
  seed: "de pesos, orden, dropout y muestras",
  freeze: "parámetros que quedan como están, por sus nombres: wte,wpe,h.0.*",
  lr_scale: "factores de la tasa por nombres: wte=0.1",
  lora_rank: "entrenar correcciones de este rango de las capas del modelo, que quedan como están (LoRA)",
  lora_alpha: "se multiplican por alfa / rango",
  lora_dropout: "de lo que entra en ellas",
  lora_target_modules: "capas que las reciben: c_attn, c_proj, c_fc; por defecto c_attn",
  eval_steps: "pasos entre validaciones, si hay datos para ellas",
  eval_on_start: "validar también antes del primer paso",
  per_device_eval_batch_size: "filas a la vez; por defecto como al entrenar",
  max_eval_samples: "tantos registros o ventanas como mucho, repartidos por igual",
  load_best_model_at_end: "guardar como resultado el modelo de la pérdida de validación más baja",
  early_stopping_patience: "validaciones sin mejora tras las que parar; 0: nunca",
  early_stopping_threshold: "cuánto tiene que mejorar",
  samples: "muestras al final; 3 de ellas en cada validación",
  sample_prompts: "lo que continúan las muestras; por defecto, nada",
  sample_length: "tokens de una muestra como máximo",
  temperature: "de las muestras; 0: siempre lo más probable",
  top_k: "de las muestras; 0: todos",
  logging_steps: "pasos entre líneas del registro",
  save_steps: "pasos entre puntos guardados; 0: solo al interrumpir",
  save_total_limit: "puntos guardados que se conservan",
  max_skipped_steps: "parar tras tantos pasos seguidos omitidos por no ser finitos",
  spike_threshold: "avisar cuando la pérdida esté tantas desviaciones por encima de su media; 0: nunca",
};

export const ES: Texts = {
  locale: "es",
  language: "Idioma",
  title: "Entrena un GPT-2 con tu propia lista",
  lead: "Pega una lista o suelta un archivo, pulsa Entrenar y mira cómo un pequeño modelo de lenguaje la aprende. Todo ocurre en este navegador: no se envía nada a ninguna parte.",
  skip: "Ir al entrenamiento",

  notStarted:
    "El trabajador de la página no arrancó: falta un archivo de la página, o el navegador es demasiado antiguo para ella. Recarga la página.",
  notLoaded: "Una parte de la página no se pudo cargar. ¿Hay red? Recarga la página.",
  starting: "Arrancando ...",
  onGpu: (name) => `Se calcula en ${name}, por WebGPU.`,
  onCpu: (threads) =>
    `Se calcula en la CPU, en WebAssembly con ${counted(threads, "hilo")}: la página no encontró una GPU que usar.`,
  moreGpu:
    "Un Chrome, Edge, Safari o Firefox actual la usa en una máquina con GPU, si la aceleración gráfica está activada en los ajustes del navegador y la página está en https.",
  moreThreads: "Servida con las cabeceras COOP same-origin y COEP require-corp usaría todos los núcleos.",
  notKept: (why) =>
    `Este navegador no guarda archivos para la página${why && ` (${why})`}: un entrenamiento dura hasta que se cierra la pestaña. Descarga lo que quieras conservar.`,

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
    "O continúa desde otro: un directorio GPT-2 de Hugging Face, un zip suyo como los que hace esta página, o un archivo safetensors, elegido aquí o soltado en la página; entero, o con correcciones (lora_rank, en Más ajustes).",
  modelFiles: "Archivos de un modelo, o un zip",
  modelFolder: "La carpeta de un modelo",
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
  severalTexts: 'uno por línea; los de varias líneas como JSON, por ejemplo ["a\\nb", "c"]',
  help: (name, english) => HELPS[name] ?? english,
  decimalMark: ",",
  plainNumbers: "Los números se escriben sin separador de miles: 1000.",
  noNumber: (name, text) =>
    `${name}: ${text} no se puede leer como un solo número. Escribe 1000 sin separador de miles, y los decimales como en 0,5.`,
  wantModel: (names) =>
    `${names.join(", ")}: solo sirve con un modelo desde el que continuar. Abre uno arriba; hasta entonces se entrena uno nuevo, sin eso.`,
  brought: (names) => `${names.join(", ")}: no se usa, pues el modelo que se abrió trae lo suyo.`,
  remedies: {
    column: (name) => `El texto está en ${name}`,
    noValidation: () => "Entrenar sin validación",
    asText: () => "Es un texto, no una lista",
    set: (settings) => `Poner ${settings}`,
    leaveOut: (name) => `Quitar ${name}`,
  },
  manyCut: (cut, records, places, brought) =>
    `${counted(cut, "registro")} de ${n(records)} ${cut === 1 ? "tiene" : "tienen"} más de ${counted(places, "token")}, y solo se aprende lo que va antes. ${brought ? "Este modelo no tiene más posiciones; si" : "Sube el registro más largo en los ajustes o, si"} es un texto y no una lista, haz que se aprenda como tal:`,
  looksLike: {
    jsonl: "Cada línea parece un objeto JSON, y se aprende tal cual, con llaves y todo.",
    csv: "Esto parece una tabla con comas, y se aprende tal cual, línea por línea.",
    tsv: "Esto parecen celdas de una tabla, y se aprende tal cual, línea por línea.",
  },
  readAs: {
    jsonl: "Leerlo como JSON lines",
    csv: "Leerlo como tabla",
    tsv: "Leerlo como tabla",
  },
  reset: "Volver al dial",
  compute: "Calcular en",
  devices: { auto: "lo mejor que haya", webgpu: "WebGPU", wasm: "WebAssembly" },
  linkProblem: (problem) =>
    `Algunos ajustes de la dirección de esta página no sirven, así que no se usa ninguno: ${problem}`,

  linkWhileTraining:
    "Los ajustes de la dirección de esta página no se han tomado: aquí se está entrenando. Sigue el enlace otra vez cuando acabe.",

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
      ...(data.learnt === undefined ? [] : [`${n(data.learnt)} de ellos con pérdida`]),
      `${n(data.ended)} ${data.ended === 1 ? "acaba" : "acaban"} en el token final`,
      counted(data.cut, "cortado"),
      `el más largo ${n(data.longest)}`,
      ...(padding === undefined ? [] : [`${Math.round(100 * padding)} % de relleno`]),
      ...(data.empty > 0 ? [`${counted(data.empty, "vacío omitido", "vacíos omitidos")}`] : []),
      ...(findings && findings.blank > 0 ? [`${n(findings.blank)} en blanco omitidos`] : []),
      ...(findings && findings.separators > 0
        ? [`registros entre ${n(findings.separators)} líneas de ${endText}`]
        : []),
      ...(own.length > 0 ? [`${endText} en los datos (${own.join(", ")}) tomado por el del propio registro`] : []),
      ...(findings && findings.inside > 0 ? [`${n(findings.inside)} con ${endText} dentro`] : []),
      ...(data.duplicates > 0 ? [counted(data.duplicates, "duplicado")] : []),
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
    const rates = groups
      .filter(({ rateFactor }) => rateFactor !== 1)
      .map((one) => `${one.name} a ${writeNumber(one.rateFactor, ",")}`);
    return `${what}${rates.length > 0 ? `; de la tasa de aprendizaje: ${rates.join(", ")}` : ""}`;
  },
  describePlan: (p) => {
    const row = p.packed ? "fila empaquetada" : p.data.kind === "stream" ? "ventana" : "registro";
    const rows = p.packed ? "filas empaquetadas" : `${row}s`;
    return (
      `${counted(p.maxSteps, "paso")} de ${counted(p.rows, row, rows)}${p.batches > 1 ? ` en ${p.batches} lotes` : ""}: ` +
      `${real(p.epochs, epochDigits(p.epochs))} épocas, unos ${n(p.tokensSeen)} tokens`
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
  openedModel: "Un modelo que se abrió y se conserva tal cual: se puede generar con él, abajo, y continuar desde él.",
  noRun: "Aún no hay ninguno. Pulsa Entrenar: las curvas y las muestras aparecen aquí.",
  phases: { preparation: "preparando", training: "entrenando", end: "guardando el modelo" },
  stopping: "parando tras este paso, y guardando",
  tab: (percent, title) => `${percent} % \u00b7 ${title}`,
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
  nothing: "(nada)",
  counts: ({ all, ended, fresh, wellFormed }) =>
    `${counted(all, "muestra")}: ${[
      ...(wellFormed === undefined ? [] : [counted(wellFormed, "bien formada", "bien formadas")]),
      counted(ended, "acabó por sí misma", "acabaron por sí mismas"),
      ...(fresh === undefined ? [] : [counted(fresh, "no está en los datos", "no están en los datos")]),
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
  interrupted: (title, step, all) =>
    step === 0
      ? `${title} no había terminado: aún no se guardó nada, y empieza de nuevo.`
      : `${title} no había terminado: el paso ${n(step)} de ${n(all)} está guardado.`,
  diverged: (title, step, saved) =>
    `${title} ha divergido: sus números dejaron de ser finitos en el paso ${n(step)}${saved === 0 ? "" : `; el paso ${n(saved)} está guardado`}. Continuar haría lo mismo otra vez: prepáralo otra vez y entrena con una tasa de aprendizaje más baja. De qué trataba el paso ${n(step)}, sus números, ajustes y textos, se puede descargar en un archivo:`,
  notFinite: (step) => `Descargar el paso ${n(step)}`,
  elsewhere: (title, step, all) => `${title} se entrena en otra pestaña: paso ${n(step)} de ${n(all)}.`,

  sampleTitle: "Muestras",
  sampleNothing: "Aún no hay modelo: un entrenamiento lo tiene desde su primer punto guardado.",
  prompt: "Comienzo",
  promptHint: "Vacío: empieza el modelo.",
  promptTokens: (tokens) => `${counted(tokens, "token")}.`,
  promptRoom: (context) => `El contexto del modelo tiene ${counted(context, "posición", "posiciones")}.`,
  promptCut: (seen, context) =>
    `Solo se ${seen === 1 ? "ve el último" : `ven los últimos ${n(seen)}`}: el contexto del modelo tiene ${counted(context, "posición", "posiciones")}.`,
  temperature: "Temperatura",
  topK: "Top k",
  topP: "Top p",
  minP: "Min p",
  repetitionPenalty: "Penalización por repetir",
  count: "Cuántas",
  seed: "Semilla",
  length: "Tokens como máximo",
  sampleHelp: {
    temperature: (min, max) =>
      `con cuánta libertad se eligen los tokens, de ${min} a ${max}; 0 toma siempre el más probable, 1 sortea como dice el modelo`,
    topK: (_, max) => `sortear solo entre tantos de los tokens más probables, hasta ${max}; 0: entre todos`,
    topP: (min, max) =>
      `sortear solo entre los tokens más probables que juntos tienen esta parte de la probabilidad, de ${min} a ${max}; 1: entre todos`,
    minP: (min, max) =>
      `dejar fuera los tokens con menos de esta parte de la probabilidad del más probable, de ${min} a ${max}; 0: ninguno`,
    repetitionPenalty: (min, max) =>
      `más de 1 hace menos probables los tokens que ya están, de ${min} a ${max}; 1: como son`,
    count: (min, max) => `muestras que Generar hace de una vez, de ${min} a ${max}`,
    seed: (min, max) => `el mismo número vuelve a dar las mismas muestras, de ${min} a ${max}`,
    maxNewTokens: (min, max) => `dónde se corta una muestra que no acaba por sí misma, de ${min} a ${max}`,
  },
  generate: "Generar",
  twenty: "20 de una vez",
  hush: "Parar",
  sampling: "Generando ...",
  results: "Resultados",
  sampled: (count) => `${counted(count, "muestra")}, hecho`,
  // Con cuatro cifras no se agrupa.
  figure: (english) =>
    english.replace(/(?<![\d,])(\d),(\d{3})(?![\d,])/g, "$1$2").replace(/[.,]/g, (mark) => (mark === "." ? "," : ".")),
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
    diverged: "ha divergido",
    finished: "terminado",
    kept: "parado, conservado",
    opened: "modelo abierto",
    broken: "dañado",
  },
  here: "aquí",
  there: "en otra pestaña",
  show: "Mostrar",
  setUpAgain: "Preparar otra vez",
  trainOn: "Continuar desde él",
  setUpAs: (title, trained) =>
    trained
      ? `Datos, ajustes y modelo son los de ${title}: cambia lo que quieras y pulsa Entrenar.`
      : `Se continúa desde ${title}: elige datos y pulsa Entrenar.`,
  compare: "Comparar",
  differing: "Ajustes que difieren",
  setting: "Ajuste",
  alike: "Ninguno: los ajustes de estos entrenamientos son los mismos.",
  download: "Descargar",
  remove: "Borrar",
  removeSure: "Borrar de verdad",
  removeAgain: (title) => `Pulsa otra vez para borrar ${title}, o Escape para conservarlo.`,
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
    meanOfHeads: "media",
    mapOf: (layer, head) =>
      `Atención de la capa ${layer}, ${head === undefined ? "media de sus cabezas" : `cabeza ${head}`}: una fila mira a sus columnas`,
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
    differences: "Diferencias, de lo permitido",
    device: "Frente a la CPU",
    noHalves: "Este dispositivo no tiene f16: los casos en f16 solo se probaron por diferencias.",
    copy: "Copiar todo el informe como JSON",
    download: "Descargarlo",
    copied: "Copiado.",
    copyYourself: "Este navegador no deja que la página copie; aquí está:",
  },
  dismiss: "Cerrar",
  footer: "Descargar da el modelo de un entrenamiento como zip: lo abre gpt2 generate, y, descomprimido, transformers.",
};
