/** Which program stands for which image: repository, or its last segments, to the command that runs instead. */
export type ImageMap = Readonly<Record<string, readonly string[]>>;

/**
 * The program that stands for `image`. A key matches the whole repository, its beginning or its end at a slash:
 * `clustertunnel` stands for `ghcr.io/acme/clustertunnel:v1`. The longest key wins; undefined: no image here.
 */
export function programFor(image: string, images: ImageMap): readonly string[] | undefined {
  const repository = repositoryOf(image);
  const keys = Object.keys(images).filter(
    (key) => repository === key || repository.startsWith(`${key}/`) || repository.endsWith(`/${key}`),
  );
  const longest = keys.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : images[longest];
}

/** An image reference without tag and digest; a colon before the last slash is a registry's port. */
function repositoryOf(image: string): string {
  const name = image.split('@')[0] ?? image;
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
