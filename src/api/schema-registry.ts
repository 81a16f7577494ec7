import { z } from "zod";

/** Schemas that stand under a name of their own in the OpenAPI document. */
export const apiSchemas = z.registry<{ id: string }>();
