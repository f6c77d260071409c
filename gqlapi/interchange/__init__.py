"""Blogs as folders of Markdown files with front matter, as Jekyll, Hugo and Zola write them."""
