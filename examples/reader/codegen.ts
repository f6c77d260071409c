import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: ['src/**/*.{ts,tsx}', '!src/gql/**'],
  generates: {
    './src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'unmask' } },
      config: {
        strictScalars: true,
        scalars: { DateTime: 'string', Cursor: 'string', Position: 'string' },
        // A mutation is null only on an error, and Apollo Client throws those.
        nullability: { errorHandlingClient: true },
        useTypeImports: true,
      },
    },
    './src/gql/possible-types.ts': { plugins: ['fragment-matcher'] },
  },
};

export default config;
