export type { OpenData, SourceReport, TrainingData } from "../../data/open.ts";
