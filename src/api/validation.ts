import type { FastifySchemaCompiler } from "fastify";
import type { core, ZodType } from "zod";

interface Fault {
  readonly keyword: string;
  /** JSON pointer (RFC 6901) to the place. */
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly message: string;
  readonly params: Record<string, unknown>;
}

/**
 * Checks a part of a request against its zod schema, and reports every fault with a pointer to it; a field that the
 * schema does not know is one fault each, at its own place.
 */
export const validateWithZod: FastifySchemaCompiler<ZodType> = ({ schema }) => {
  return (data) => {
    const result = schema.safeParse(data);
    return result.success ? { value: result.data } : { error: result.error.issues.flatMap(faultsOf) as never };
  };
};

function faultsOf(issue: core.$ZodIssue): Fault[] {
  if (issue.code !== "unrecognized_keys") return [fault(issue.code, issue.path, issue.message)];
  return issue.keys.map((key) => fault(issue.code, [...issue.path, key], "is not a field of this request"));
}

function fault(keyword: string, path: readonly PropertyKey[], message: string): Fault {
  const instancePath = path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  return { keyword, instancePath, schemaPath: `#${instancePath}/${keyword}`, message, params: {} };
}
