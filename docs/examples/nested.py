"""Tasks that start tasks: the number of words in a shelf of books, counted chapter by chapter."""

from _start import start

import triort

LINE = "It was the best of times, it was the worst of times"


def count_words(chapter: str) -> int:
    return len(chapter.split())


async def count_book(num_chapters: int) -> int:
    rt = triort.get_runtime()
    chapters = [f"{LINE}\n" * (number + 1) for number in range(num_chapters)]
    counts = await rt.map(count_words, chapters)
    return sum(counts)


async def count_shelf(num_books: int) -> int:
    rt = triort.get_runtime()
    first = rt.submit(count_book, 3)
    others = rt.map(count_book, range(4, 3 + num_books))
    return await first + sum(await others)


async def main(client: triort.Client, size: int) -> None:
    print(f"{size} books: {await client.run(count_shelf, size)} words")


if __name__ == "__main__":
    start(main, size=8, meaning="how many books")
