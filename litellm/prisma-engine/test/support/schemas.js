/** Small Prisma schemas for unit tests. */
import { parseModels } from '../../src/query-engine/models.js';
import { Translator } from '../../src/query-engine/graphql.js';

export const SMALL_SCHEMA = `
model User {
  id       String  @id
  meta     Json    @default("{}")
  update   Json? // a name that is an operation too
  posts    Post[]
  profile  Profile?
}

model Post {
  id       Int     @id
  extra    Json?
  author   User    @relation(fields: [authorId], references: [id])
  authorId String
  @@unique([id, authorId])
}

model Profile {
  id     Int  @id
  bio    Json
  user   User @relation(fields: [userId], references: [id])
  userId String @unique
}

model PostOrThrow {
  id Int @id
}
`;

export const translator = new Translator(parseModels(SMALL_SCHEMA));

/** @param {string} query */
export const translated = (query) => JSON.parse(translator.translate(query).json);
