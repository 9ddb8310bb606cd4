/**
 * Invents the addresses of emails.txt, the example that the emails preset is trained on. None of them is meant to be anyone's.
 *
 *     npx tsx examples/make-emails.ts > examples/emails.txt
 */
import { fileURLToPath } from "node:url";

const COUNT = 2000;
const SEED = 1810;

const GIVEN = `
  agustin alejandra alejandro alonso amanda ana andrea andres angela antonia antonio barbara bastian beatriz benjamin
  bernardo camila camilo carla carlos carolina catalina cecilia claudia claudio constanza cristian cristobal daniel
  daniela david diego eduardo elena elias elisa emilia emilio esteban eugenia felipe fernanda fernando florencia
  francisca francisco gabriel gabriela gaspar gonzalo guillermo gustavo hector hernan ignacia ignacio ines isabel
  isidora ivan javier javiera joaquin jorge jose josefa josefina juan julian julieta karen karina laura leonardo
  lorena lucas lucia luis magdalena manuel manuela marcela marcelo marco margarita maria mariana mario martin martina
  mateo matias mauricio maximiliano miguel monica natalia nicolas oscar pablo paola patricia patricio paula paulina
  paz pedro pia rafael ramon raquel raul renata ricardo roberto rocio rodrigo romina rosa samuel sandra santiago
  sebastian sergio silvia simon sofia soledad tamara teresa tomas trinidad valentina valeria vanessa veronica vicente
  victor victoria viviana ximena yasna`;

const FAMILY = `
  abarca acevedo acuna aguilera alarcon allende alvarado alvarez arancibia aranda aravena araya arriagada astudillo
  baeza barra barrera barrientos barrios bravo bustamante bustos caceres campos canales cardenas carrasco carvajal
  castillo castro catalan cerda cespedes cifuentes contreras cordova cornejo correa cortes cruz diaz donoso duran
  echeverria errazuriz escobar espinoza farias fernandez figueroa flores fuentealba fuentes gajardo gallardo garces
  garcia garrido godoy gomez gonzalez guajardo gutierrez guzman henriquez hernandez herrera hidalgo huenchullan
  hurtado ibanez inostroza jara jimenez lagos larrain leiva leon lizama lopez maldonado mamani manriquez marin
  martinez maturana medina melendez mella mendoza meneses meza miranda molina montecinos montenegro mora morales
  moreno munoz navarrete navarro nunez ojeda olivares orellana ortega ortiz osorio oyarzun pacheco palma paredes parra
  pena peralta pereira perez pino pizarro poblete ponce quezada quilodran quintana quiroga ramirez ramos rebolledo
  retamal reyes rios riquelme rivas rivera robles rodriguez rojas roman romero rosales rubio ruiz saavedra saez salas
  salazar salinas sanchez sandoval sanhueza santander santibanez sepulveda silva solis soto suazo tapia toledo toro
  torres troncoso ulloa urrutia valdebenito valdes valdivia valenzuela vargas vasquez vega velasquez venegas vera
  vergara vidal villagran villalobos villarroel yanez zamora zamorano zapata zuniga`;

/** An entry said twice is twice as likely. */
const DOMAINS = `
  gmail.com gmail.com gmail.com gmail.com gmail.com usach.cl usach.cl usach.cl uchile.cl uchile.cl uc.cl uc.cl udp.cl
  udp.cl hotmail.com hotmail.com hotmail.com outlook.com outlook.com yahoo.com yahoo.com live.com icloud.com
  protonmail.com`;
const SEPARATORS = [".", ".", ".", "", "", "_", "_", "-"];

/** Numbers in [0, 1), the same for the same seed (mulberry32, Tommy Ettinger). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Distinct addresses, one a line. */
export function makeEmails(count = COUNT, seed = SEED): string {
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const [given, family, domains] = [GIVEN, FAMILY, DOMAINS].map((list) => list.trim().split(/\s+/)) as [
    string[],
    string[],
    string[],
  ];

  const number = (): string => {
    const form = random();
    if (form < 0.65) return "";
    if (form < 0.8) return String(1 + below(99));
    if (form < 0.9) return String(1965 + below(43));
    return String(1965 + below(43)).slice(2);
  };
  const address = (): string => {
    const name = pick(given);
    const first = random() < 0.25 ? name.slice(0, 1) : name;
    return `${first}${pick(SEPARATORS)}${pick(family)}${number()}@${pick(domains)}`;
  };

  const addresses = new Set<string>();
  while (addresses.size < count) addresses.add(address());
  return `${[...addresses].join("\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(makeEmails());
