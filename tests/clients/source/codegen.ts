import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['operations/*.graphql', 'cached/*.graphql', 'incremental/*.graphql'],
  generates: {
    './gql/': {
      preset: 'client',
      presetConfig: { persistedDocuments: { hashAlgorithm: 'sha256' }, fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: { DateTime: 'string', Cursor: 'string', Position: 'string' },
        nullability: { errorHandlingClient: true },
        useTypeImports: true,
        importExtension: '.js',
      },
    },
    './possible-types.ts': { plugins: ['fragment-matcher'] },
    './introspection.ts': { plugins: ['urql-introspection'] },
  },
};

export default config;
